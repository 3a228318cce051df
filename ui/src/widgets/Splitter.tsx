import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import styles from './Splitter.module.css';

/**
 * A bar that changes the size of what is on one side of it: by dragging, or with the arrow keys, Home and End. The
 * owner keeps the size.
 */
export function Splitter(props: {
  readonly label: string;
  readonly size: number;
  readonly min: number;
  readonly max: number;
  readonly onResize: (size: number) => void;
  /** `vertical`: the bar stands upright and widths change. */
  readonly orientation?: 'vertical' | 'horizontal';
  /** The panel is after the bar, so moving towards the start makes it larger. */
  readonly reverse?: boolean;
  /** The id of the panel whose size changes. */
  readonly controls?: string;
}) {
  const drag = useRef<{ at: number; size: number } | undefined>(undefined);
  const vertical = props.orientation !== 'horizontal';
  const direction = props.reverse ? -1 : 1;
  const resize = (size: number) => props.onResize(Math.round(Math.min(props.max, Math.max(props.min, size))));
  const position = (event: PointerEvent) => (vertical ? event.clientX : event.clientY);

  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
    drag.current = { at: position(event), size: props.size };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (drag.current) resize(drag.current.size + direction * (position(event) - drag.current.at));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const [less, more] = vertical ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown'];
    const step = event.shiftKey ? 64 : 16;
    if (event.key === less) resize(props.size - direction * step);
    else if (event.key === more) resize(props.size + direction * step);
    else if (event.key === 'Home') resize(props.min);
    else if (event.key === 'End') resize(props.max);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const stop = () => {
    drag.current = undefined;
  };
  return (
    <div
      role="separator"
      tabIndex={0}
      aria-orientation={vertical ? 'vertical' : 'horizontal'}
      aria-label={props.label}
      aria-valuenow={Math.round(props.size)}
      aria-valuemin={props.min}
      aria-valuemax={Math.round(props.max)}
      aria-controls={props.controls}
      className={vertical ? styles.vertical : styles.horizontal}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={stop}
      onPointerCancel={stop}
      onKeyDown={onKeyDown}
    />
  );
}
