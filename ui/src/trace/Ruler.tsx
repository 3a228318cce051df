import { type PointerEvent, useRef, useState } from 'react';
import { percentOf, type Tick } from './axis';
import styles from './Timeline.module.css';
import type { TraceView } from './useTraceView';
import { between, drawnZoom, timeUnder } from './zoom';

/** The time axis above the bars; dragging over it zooms to what was drawn. */
export function Ruler({ view, ticks }: { readonly view: TraceView; readonly ticks: readonly Tick[] }) {
  const { zoom } = view;
  const bar = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ at: number; to: number }>();
  const timeAt = (event: PointerEvent) => timeUnder(event.clientX, bar.current!, zoom);
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const time = timeAt(event);
    setDrag({ at: time, to: time });
  };
  const onPointerMove = (event: PointerEvent) => {
    if (drag) setDrag({ at: drag.at, to: timeAt(event) });
  };
  const onPointerUp = (event: PointerEvent) => {
    if (!drag) return;
    setDrag(undefined);
    // Where the pointer is now: the moves before may not have been drawn yet.
    const drawn = drawnZoom(between(drag.at, timeAt(event)), bar.current!, zoom);
    if (drawn) view.setZoom(drawn);
  };
  const shown = drag && between(drag.at, drag.to);
  const left = shown && percentOf(shown.from, zoom.from, zoom.to);
  const right = shown && percentOf(shown.to, zoom.from, zoom.to);
  return (
    <div
      ref={bar}
      className={styles.ruler}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => setDrag(undefined)}
    >
      {ticks.map(({ us, label }) => (
        <span key={us} className={styles.tickLabel} style={{ left: `${percentOf(us, zoom.from, zoom.to)}%` }}>
          {label}
        </span>
      ))}
      {left !== undefined && right !== undefined && (
        <span className={styles.drawn} style={{ left: `${left}%`, width: `${right - left}%` }} />
      )}
    </div>
  );
}
