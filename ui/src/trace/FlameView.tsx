import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import type { Flame } from '../model/flame';
import { useTheme } from '../theme/theme';
import { PlainText } from '../widgets/PlainText';
import { LoadingPanel } from '../widgets/StatePanel';
import { FlameTable } from './FlameTable';
import styles from './FlameView.module.css';
import { FocusPath } from './FocusPath';
import { flameKey } from './flameKeys';
import { boxAt, type FlameMarks, type FlameScreen, LANE_PX, lanesOf, paintFlame, readPalette } from './flamePaint';
import { shareText } from './share';
import { useCall } from './useCall';
import { useCanvas } from './useCanvas';
import type { TraceView } from './useTraceView';
import { useZoomGestures } from './useZoomGestures';
import { ViewBar, ViewFrame } from './ViewBar';

/** The flame graph: in the order of time, or calls of one path merged. */
export default function FlameView({ view }: { readonly view: TraceView }) {
  const { layout, address, update } = view;
  const { t } = useTranslation('trace');
  const mode = address.merged ? 'path' : address.rawTimes ? 'rawTime' : 'time';
  const { value: flame, current } = useCall(view.trace, 'flame', layout.split, { mode });
  const ready = flame && current && flame.boxOf.length === layout.rowCount;
  return (
    <ViewFrame>
      <ViewBar>
        <fieldset className={styles.choice}>
          <legend className="visually-hidden">{t('flameOrder')}</legend>
          <Choice on={!address.merged} label={t('flameByTime')} onChoose={() => update({ merged: false })} />
          <Choice
            on={address.merged}
            label={t('flameByPath')}
            onChoose={() => update({ merged: true, zoom: undefined })}
          />
        </fieldset>
        <button
          type="button"
          className="button small"
          aria-pressed={address.asTable}
          onClick={() => update({ asTable: !address.asTable })}
        >
          {t('asTable')}
        </button>
        <FocusPath view={view} />
      </ViewBar>
      {!ready ? (
        <LoadingPanel label={t('loadingView')} />
      ) : address.asTable ? (
        <FlameTable view={view} flame={flame} />
      ) : (
        <Graph view={view} flame={flame} />
      )}
    </ViewFrame>
  );
}

function Choice(props: { on: boolean; label: string; onChoose: () => void }) {
  return (
    <button type="button" className="button small" aria-pressed={props.on} onClick={props.onChoose}>
      {props.label}
    </button>
  );
}

function Graph({ view, flame }: { view: TraceView; flame: Flame }) {
  const { layout, address } = view;
  const { t } = useTranslation('trace');
  // Another theme has other colours.
  useTheme();
  const { canvas, size } = useCanvas();
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [gutter, setGutter] = useState(0);
  const [hover, setHover] = useState<{ box: number; x: number; y: number }>();
  const lanes = useMemo(() => lanesOf(flame), [flame]);
  const merged = address.merged;
  const root = view.focus < 0 ? -1 : flame.boxOf[view.focus]!;
  const cursor = view.selected < 0 ? -1 : flame.boxOf[view.selected]!;
  const marks: FlameMarks = {
    first: Math.max(0, root),
    end: root < 0 ? flame.count : root + flame.size[root]!,
    cursor,
    hovered: hover?.box ?? -1,
    matching: view.found.rows?.length ? view.found.matching : undefined,
    critical: address.criticalPath,
    merged,
  };
  const stretch = merged
    ? root < 0
      ? { from: 0, to: Math.max(1, flame.totalUs) }
      : { from: flame.x[root]!, to: flame.x[root]! + Math.max(1, flame.width[root]!) }
    : view.zoom;
  const screen: FlameScreen = { ...stretch, ...size, top, firstLane: root < 0 ? 0 : flame.y[root]! };
  const laneCount = useMemo(() => lanesShown(flame, marks.first, marks.end), [flame, marks.first, marks.end]);

  // Without dependencies: drawn anew whenever anything of this component changes.
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || size.width === 0) return;
    paintFlame(context, flame, lanes, layout, screen, marks, readPalette(canvas.current!.parentElement!));
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height may bring or take the scroll bar
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element) setGutter(element.offsetWidth - element.clientWidth);
  }, [laneCount, size]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || cursor < 0) return;
    const y = (flame.y[cursor]! - screen.firstLane) * LANE_PX;
    if (y < element.scrollTop || y + LANE_PX > element.scrollTop + element.clientHeight) {
      element.scrollTop = y - element.clientHeight / 2;
    }
  }, [cursor, flame, screen.firstLane]);
  useZoomGestures(scroller, view, (element) => element.getBoundingClientRect(), !merged);

  const at = (event: React.MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return boxAt(event.clientX - box.left, event.clientY - box.top, flame, lanes, screen, marks);
  };
  const readout = hover?.box ?? cursor;
  return (
    <div className={styles.graph}>
      <div className={styles.plane}>
        <canvas ref={canvas} className={styles.canvas} style={{ width: `calc(100% - ${gutter}px)` }} />
        <div
          ref={scroller}
          className={styles.scroller}
          role="application"
          aria-label={t('flameLabel')}
          aria-describedby="flame-readout"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move the cursor in it
          tabIndex={0}
          data-ready=""
          onScroll={(event) => setTop(event.currentTarget.scrollTop)}
          onKeyDown={(event) => flameKey(event, view, flame, lanes, cursor, root)}
          onPointerMove={(event) => {
            const box = at(event);
            setHover(box < 0 ? undefined : { box, x: event.clientX, y: event.clientY });
          }}
          onPointerLeave={() => setHover(undefined)}
          onClick={(event) => {
            const box = at(event);
            if (box < 0) return;
            view.select(flame.row[box]!, { detail: true });
            if (box !== root) view.setFocus(flame.row[box]!);
          }}
        >
          <div style={{ height: laneCount * LANE_PX }} />
        </div>
      </div>
      {hover && <Tip view={view} flame={flame} box={hover.box} x={hover.x} y={hover.y} />}
      <p id="flame-readout" className={styles.readout} role="status">
        {readout < 0 ? t('flameHint') : <Facts view={view} flame={flame} box={readout} />}
      </p>
    </div>
  );
}

/** Lanes from the top of a subtree to its lowest box. */
function lanesShown(flame: Flame, first: number, end: number): number {
  let lowest = 0;
  for (let box = first; box < end; box++) if (flame.y[box]! > lowest) lowest = flame.y[box]!;
  return lowest - (flame.y[first] ?? 0) + 1;
}

/** What a box is, in one line of text. */
function Facts({ view, flame, box }: { view: TraceView; flame: Flame; box: number }) {
  const { layout } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const row = flame.row[box]!;
  const total = flame.totalOf[box]!;
  const parts = [
    ...(flame.rows[box]! > 1 ? [t('callCount', { count: flame.rows[box]! })] : []),
    ...(Number.isNaN(total) ? [t('noTime')] : [format.duration(total)]),
    ...(flame.selfOf[box]! >= 0 ? [t('selfOf', { time: format.duration(flame.selfOf[box]!) })] : []),
    ...(total > 0 && flame.totalUs > 0 ? [shareText(format, total / flame.totalUs)] : []),
    ...(flame.errors[box]! > 0 ? [t('errorCount', { count: flame.errors[box]! })] : []),
  ];
  const service = layout.services[layout.service[row]!]! || t('noService');
  return (
    <>
      <strong>
        <PlainText text={`${service} ${layout.operations[layout.operation[row]!]!}`.trim()} />
      </strong>
      {parts.map((part) => (
        <span key={part}> · {part}</span>
      ))}
    </>
  );
}

function Tip({ view, flame, box, x, y }: { view: TraceView; flame: Flame; box: number; x: number; y: number }) {
  const right = x > window.innerWidth - 340;
  return (
    <div
      className={styles.tip}
      aria-hidden="true"
      style={{ top: y + 18, ...(right ? { right: window.innerWidth - x + 8 } : { left: x + 12 }) }}
    >
      <Facts view={view} flame={flame} box={box} />
    </div>
  );
}
