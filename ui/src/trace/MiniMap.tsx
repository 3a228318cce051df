import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { FLAG_ERROR, FLAG_VIRTUAL } from '../model/layout';
import { readColour } from '../theme/colours';
import { useTheme } from '../theme/theme';
import { percentOf } from './axis';
import { looksOf } from './look';
import styles from './MiniMap.module.css';
import { useCanvas } from './useCanvas';
import type { TraceView, Zoom } from './useTraceView';
import { between, drawnZoom, panned, timeUnder } from './zoom';

/** Rows drawn for each pixel of height: more would only cover each other. */
const ROWS_PER_PX = 6;
/** An error is a red mark at the start of its row: the colour of the service stays visible. */
const ERROR_PX = 6;

type Drag = { kind: 'draw'; at: number; to: number } | { kind: 'move'; at: number; zoom: Zoom };

/** The whole trace in one strip; what is zoomed to is lit. */
export function MiniMap({ view }: { readonly view: TraceView }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { times, zoom } = view;
  const total = Math.max(1, times.durationUs);
  const whole = { from: 0, to: total };
  const frame = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag>();
  const shown = drag?.kind === 'draw' ? between(drag.at, drag.to) : zoom;
  const left = percentOf(shown.from, 0, total);
  const right = percentOf(shown.to, 0, total);

  const timeAt = (event: PointerEvent) => timeUnder(event.clientX, frame.current!, whole);
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0 || (event.target as Element).closest('[role=slider]')) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = timeAt(event);
    const inside = view.zoomed && at > zoom.from && at < zoom.to && !event.shiftKey;
    setDrag(inside ? { kind: 'move', at, zoom } : { kind: 'draw', at, to: at });
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!drag) return;
    const at = timeAt(event);
    if (drag.kind === 'draw') setDrag({ ...drag, to: at });
    else view.setZoom(panned(drag.zoom, (at - drag.at) / (drag.zoom.to - drag.zoom.from), total));
  };
  const onPointerUp = (event: PointerEvent) => {
    setDrag(undefined);
    if (drag?.kind !== 'draw') return;
    // Where the pointer is now: the moves before may not have been drawn yet.
    const drawn = drawnZoom(between(drag.at, timeAt(event)), frame.current!, whole);
    if (drawn) view.setZoom(drawn);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the sliders and the zoom keys do the same by keyboard
    <div
      ref={frame}
      className={styles.map}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => setDrag(undefined)}
      onDoubleClick={() => view.setZoom(undefined)}
    >
      <Rows view={view} />
      <div className={styles.shade} style={{ left: 0, width: `${left}%` }} />
      <div className={styles.shade} style={{ right: 0, width: `${100 - right}%` }} />
      <Handle
        side="from"
        view={view}
        at={left}
        frame={frame}
        label={t('zoomFrom')}
        text={format.duration(shown.from)}
      />
      <Handle side="to" view={view} at={right} frame={frame} label={t('zoomTo')} text={format.duration(shown.to)} />
    </div>
  );
}

function Handle(props: {
  side: 'from' | 'to';
  view: TraceView;
  at: number;
  frame: React.RefObject<HTMLDivElement | null>;
  label: string;
  text: string;
}) {
  const { side, view, frame } = props;
  const { zoom, times } = view;
  const total = Math.max(1, times.durationUs);
  const move = useCallback(
    (us: number) => {
      const least = Math.max(1, total / 10_000);
      const next =
        side === 'from'
          ? { from: Math.min(Math.max(0, us), zoom.to - least), to: zoom.to }
          : { from: zoom.from, to: Math.max(Math.min(total, us), zoom.from + least) };
      view.setZoom(next.from <= 0 && next.to >= total ? undefined : next);
    },
    [side, view, zoom, total],
  );
  const onKeyDown = (event: KeyboardEvent) => {
    const step = ((zoom.to - zoom.from) / 20) * (event.shiftKey ? 5 : 1);
    const at = zoom[side];
    if (event.key === 'ArrowLeft' || event.key === 'ArrowDown') move(at - step);
    else if (event.key === 'ArrowRight' || event.key === 'ArrowUp') move(at + step);
    else if (event.key === 'Home') move(side === 'from' ? 0 : zoom.from);
    else if (event.key === 'End') move(side === 'to' ? total : zoom.to);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    move(timeUnder(event.clientX, frame.current!, { from: 0, to: total }));
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      className={`${styles.handle} ${side === 'from' ? styles.from : styles.to}`}
      style={{ left: `${props.at}%` }}
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={Math.round(total)}
      aria-valuenow={Math.round(zoom[side])}
      aria-valuetext={props.text}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
    />
  );
}

/** All rows as thin lines, in their services' colours; errors on top. */
function Rows({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const { layout, times } = view;
  const theme = useTheme();
  const { canvas, size } = useCanvas();
  // biome-ignore lint/correctness/useExhaustiveDependencies: with another theme the colours are others
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || size.width === 0) return;
    const colours = Array.from({ length: 8 }, (_, i) => readColour(element.parentElement!, `--service-${i}`));
    const none = readColour(element.parentElement!, '--line-strong');
    const errorColour = readColour(element.parentElement!, '--error');
    const looks = looksOf(layout);
    context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    const total = Math.max(1, times.durationUs);
    const rowHeight = size.height / layout.rowCount;
    const step = Math.max(1, Math.floor(1 / rowHeight / ROWS_PER_PX));
    const draw = (row: number, colour: string, least: number, widest: number) => {
      const start = times.start[row]!;
      if (Number.isNaN(start)) return;
      context.fillStyle = colour;
      const width = ((layout.duration[row]! || 0) / total) * size.width;
      const height = Math.max(least, Math.min(3, rowHeight * 0.7));
      context.fillRect((start / total) * size.width, row * rowHeight, Math.max(1, Math.min(widest, width)), height);
    };
    for (let row = 0; row < layout.rowCount; row += step) {
      if (layout.flags[row]! & FLAG_VIRTUAL) continue;
      const colour = looks[layout.service[row]!]!.colour;
      draw(row, colour < 0 ? none : colours[colour]!, 1, size.width);
    }
    for (let row = 0; row < layout.rowCount; row++) {
      if (layout.flags[row]! & FLAG_ERROR) draw(row, errorColour, 2, ERROR_PX);
    }
  }, [layout, times, size, theme, canvas]);
  return <canvas ref={canvas} className={styles.canvas} role="img" aria-label={t('miniMapLabel')} />;
}
