import { type PointerEvent, useRef, useState } from 'react';
import { percentOf, type Tick } from './axis';
import styles from './Timeline.module.css';
import type { TraceView } from './useTraceView';

/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 4;

/** The time axis above the bars; dragging over it zooms to what was drawn. */
export function Ruler({ view, ticks }: { readonly view: TraceView; readonly ticks: readonly Tick[] }) {
  const { zoom } = view;
  const bar = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const timeAt = (event: PointerEvent) => {
    const box = bar.current!.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return zoom.from + share * (zoom.to - zoom.from);
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const time = timeAt(event);
    setDrag({ from: time, to: time });
  };
  const onPointerMove = (event: PointerEvent) => {
    if (drag) setDrag({ from: drag.from, to: timeAt(event) });
  };
  const onPointerUp = (event: PointerEvent) => {
    if (!drag) return;
    setDrag(undefined);
    // Where the pointer is now: the moves before may not have been drawn yet.
    const end = timeAt(event);
    const from = Math.min(drag.from, end);
    const to = Math.max(drag.from, end);
    const width = bar.current!.getBoundingClientRect().width;
    if (((to - from) / (zoom.to - zoom.from)) * width >= DRAG_MIN_PX) view.setZoom({ from, to });
  };
  const left = drag && percentOf(Math.min(drag.from, drag.to), zoom.from, zoom.to);
  const right = drag && percentOf(Math.max(drag.from, drag.to), zoom.from, zoom.to);
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
