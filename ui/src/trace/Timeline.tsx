import { ChevronsDownUp, ChevronsUpDown } from 'lucide-react';
import {
  type CSSProperties,
  type KeyboardEvent,
  type MouseEvent,
  type RefObject,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { placeOf } from '../model/collapse';
import { preferences, setPreferences, usePreferences } from '../settings/preferences';
import { Splitter } from '../widgets/Splitter';
import { axisTicks, laneAt, percentOf, type Tick } from './axis';
import { Breadcrumb } from './Breadcrumb';
import { Row } from './Row';
import { Ruler } from './Ruler';
import styles from './Timeline.module.css';
import { treeKey } from './treeKeys';
import { useRowHeight } from './useRowHeight';
import type { TraceView } from './useTraceView';
import { useWindow } from './useWindow';
import { useZoomGestures } from './useZoomGestures';

const NAME_WIDTH_DEFAULT_PX = 380;
const NAME_WIDTH_MIN_PX = 120;
const TICK_EVERY_PX = 110;
const INDENT_PX = 14;
const INDENT_MIN_PX = 6;

/** The waterfall: a tree grid of which only the rows on the screen exist. */
export function Timeline(props: { readonly view: TraceView; readonly onDetail: () => void }) {
  const { view } = props;
  const { layout, visible, closed, selected } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const { window, reveal } = useWindow(visible.length, rowHeight, scroller);
  const { nameWidth, setNameWidth, nameMax, laneWidth } = useNameWidth(frame, scroller);
  useZoomGestures(scroller, view, (element) => ({
    left: element.getBoundingClientRect().left + nameWidth,
    width: Math.max(1, laneWidth),
  }));
  const indent = indentOf(nameWidth, layout.depthMax);
  const { i18n } = useTranslation();
  const ticks = useMemo(
    () => axisTicks(view.zoom.from, view.zoom.to, Math.max(3, Math.floor(laneWidth / TICK_EVERY_PX)), i18n.language),
    [view.zoom, laneWidth, i18n.language],
  );

  // The place of the one row that Tab reaches: the selected one, its nearest shown ancestor, or the first.
  const place = selected < 0 ? -1 : placeOf(layout, visible, selected);
  const tabPlace = Math.max(0, place);
  useLayoutEffect(() => reveal(place), [place, reveal]);
  useEffect(() => {
    // The selection moved by keys takes the focus along; one made elsewhere (find, errors) does not steal it.
    const inside = scroller.current?.contains(document.activeElement) && document.activeElement !== scroller.current;
    if (inside && place >= 0) document.getElementById(`${id}-${visible[place]}`)?.focus({ preventScroll: true });
  }, [place, visible, id]);

  const toggle = useCallback((row: number) => view.setClosed([row], closed[row] === 0), [view.setClosed, closed]);
  const onClick = (event: MouseEvent) => {
    const row = rowOf(event.target);
    if (row < 0) return;
    if ((event.target as Element).closest('[data-twisty]')) toggle(row);
    else view.select(row, { detail: true });
    document.getElementById(`${id}-${row}`)?.focus({ preventScroll: true });
  };
  const onDoubleClick = (event: MouseEvent) => {
    const row = rowOf(event.target);
    if (row < 0 || (event.target as Element).closest('[data-twisty]')) return;
    zoomTo(view, row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = place < 0 ? visible[0]! : visible[place]!;
    const pageRows = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const action = treeKey(event.key, row, view, pageRows);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (action.select !== undefined) view.select(action.select);
    if (action.open) view.setClosed(action.open, false);
    if (action.close) view.setClosed(action.close, true);
    if (action.detail) props.onDetail();
  };

  const shown = Array.from({ length: Math.max(0, window.end - window.first) }, (_, i) => window.first + i);
  // The row that has the focus stays, however far it is scrolled away.
  if (tabPlace < window.first && visible.length > 0) shown.unshift(tabPlace);
  else if (tabPlace >= window.end && tabPlace < visible.length) shown.push(tabPlace);

  return (
    <section
      ref={frame}
      className={styles.timeline}
      style={
        { '--name': `${nameWidth}px`, '--indent': `${indent.px}px`, '--row-px': `${rowHeight}px` } as CSSProperties
      }
      aria-label={t('viewTimeline')}
    >
      <div className={styles.head}>
        <div className={styles.headName}>
          <span className={styles.headTitle}>{t('columnSpan')}</span>
          <button
            type="button"
            className="button quiet small icon"
            aria-label={t('openAll')}
            title={t('openAll')}
            onClick={() => view.setAllClosed(false)}
          >
            <ChevronsUpDown aria-hidden="true" />
          </button>
          <button
            type="button"
            className="button quiet small icon"
            aria-label={t('closeAll')}
            title={t('closeAll')}
            onClick={() => view.setAllClosed(true)}
          >
            <ChevronsDownUp aria-hidden="true" />
          </button>
        </div>
        <Ruler view={view} ticks={ticks} />
      </div>
      <div className={styles.body}>
        <GridLines view={view} ticks={ticks} />
        <div
          ref={scroller}
          className={styles.scroller}
          role="treegrid"
          tabIndex={-1}
          aria-label={t('rowsLabel')}
          aria-rowcount={visible.length}
          aria-colcount={2}
          onClick={onClick}
          onDoubleClick={onDoubleClick}
          onKeyDown={onKeyDown}
        >
          <div role="rowgroup" className={styles.rows} style={{ height: window.height }}>
            {shown.map((place) => {
              const row = visible[place]!;
              const matches = view.found.matching?.[row] === 1;
              return (
                <Row
                  key={row}
                  id={`${id}-${row}`}
                  layout={layout}
                  times={view.times}
                  zoom={view.zoom}
                  row={row}
                  place={place}
                  top={window.topOf(place)}
                  closed={closed[row] === 1}
                  levelsMax={indent.levels}
                  selected={row === selected}
                  tabbable={place === tabPlace}
                  dimmed={view.found.matching !== undefined && !matches}
                  words={matches ? view.found.words : undefined}
                  criticalPath={view.address.criticalPath}
                  format={format}
                />
              );
            })}
          </div>
        </div>
        <Breadcrumb
          view={view}
          top={visible[window.top] ?? -1}
          reveal={(row) => reveal(placeOf(layout, visible, row), 0)}
        />
        <div className={styles.splitter}>
          <Splitter
            label={t('nameWidth')}
            size={nameWidth}
            min={NAME_WIDTH_MIN_PX}
            max={nameMax}
            onResize={setNameWidth}
          />
        </div>
      </div>
    </section>
  );
}

function GridLines({ view, ticks }: { view: TraceView; ticks: readonly Tick[] }) {
  return (
    <div className={styles.gridLines} aria-hidden="true">
      {ticks.map(({ us }) => (
        <span key={us} style={{ left: laneAt(percentOf(us, view.zoom.from, view.zoom.to)) }} />
      ))}
    </div>
  );
}

/** Levels share two fifths of the name column; they stand closer in deep traces, down to a limit. */
function indentOf(nameWidth: number, depthMax: number): { px: number; levels: number } {
  const room = nameWidth * 0.4;
  const px = Math.max(INDENT_MIN_PX, Math.min(INDENT_PX, Math.floor(room / Math.max(1, depthMax))));
  return { px, levels: Math.max(1, Math.floor(room / px)) };
}

function rowOf(target: EventTarget): number {
  const row = (target as Element).closest<HTMLElement>('[data-row]')?.dataset.row;
  return row === undefined ? -1 : Number(row);
}

/** Shows the time of one row, with a little air. */
export function zoomTo(view: TraceView, row: number): void {
  const start = view.times.start[row]!;
  const duration = view.layout.duration[row]!;
  if (!(start >= 0) || !(duration > 0)) return;
  const air = duration * 0.02;
  view.setZoom({ from: Math.max(0, start - air), to: Math.min(view.times.durationUs, start + duration + air) });
}

/** Room at the end of the lane for the label of a bar that reaches it. */
const LABEL_REM = 4.25;

function labelPx(): number {
  return LABEL_REM * (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16);
}

/** The width of the name column: as the user left it, at most what leaves room for bars. */
function useNameWidth(frame: RefObject<HTMLElement | null>, scroller: RefObject<HTMLElement | null>) {
  const stored = usePreferences().widths.traceName ?? NAME_WIDTH_DEFAULT_PX;
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    // Without the scroll bar, which takes its room from the bars.
    const measure = () => {
      setWidth(scroller.current?.clientWidth ?? element.clientWidth);
      element.style.setProperty('--gutter', `${element.clientWidth - (scroller.current?.clientWidth ?? 0)}px`);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [frame, scroller]);
  const nameMax = Math.max(NAME_WIDTH_MIN_PX, Math.round(width * (width < 560 ? 0.5 : 0.7)));
  const setNameWidth = useCallback(
    (px: number) => setPreferences({ widths: { ...preferences().widths, traceName: px } }),
    [],
  );
  const nameWidth = Math.min(stored, nameMax);
  return { nameWidth, setNameWidth, nameMax, laneWidth: Math.max(1, width - nameWidth - labelPx()) };
}
