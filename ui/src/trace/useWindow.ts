import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { flushSync } from 'react-dom';

/** Browsers stop at about 16-33 million px; beyond this height the scroll bar is scaled. */
export const HEIGHT_MAX_PX = 15_000_000;
/** Rows kept ready above and below what is seen. */
const OVERSCAN = 4;

export interface RowWindow {
  /** First row drawn, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** First row that is seen. */
  readonly top: number;
  /** Height of the element inside the scroller. */
  readonly height: number;
  /** Where a row stands inside it, in px. */
  readonly topOf: (index: number) => number;
}

/** Rows of one height, of which only those on the screen are drawn. */
export function useWindow(count: number, rowHeight: number, scroller: React.RefObject<HTMLElement | null>) {
  const [state, setState] = useState({ scrollTop: 0, viewport: 0 });
  const frame = useRef({ count, rowHeight });
  frame.current = { count, rowHeight };

  const measure = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    const next = { scrollTop: element.scrollTop, viewport: element.clientHeight };
    setState((last) => {
      const { count, rowHeight } = frame.current;
      const same =
        last.viewport === next.viewport && sameRows(last.scrollTop, next.scrollTop, count, rowHeight, next.viewport);
      return same ? last : next;
    });
  }, [scroller]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another number or height of rows may move what is seen
  useLayoutEffect(measure, [measure, count, rowHeight]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    // At once: the browser tells of scrolling right before it draws, so that rows are drawn with it and not a frame later.
    const onScroll = () => flushSync(measure);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, [measure, scroller]);

  /** Scrolls so that a row is seen; `centre` only when it is not seen yet. */
  const reveal = useCallback(
    (index: number, margin = 2) => {
      const element = scroller.current;
      if (!element || index < 0) return;
      const { count, rowHeight } = frame.current;
      const seen = element.clientHeight / rowHeight;
      const top = offsetOf(element.scrollTop, count, rowHeight, element.clientHeight) / rowHeight;
      if (index >= top + Math.min(margin, seen / 3) && index + 1 <= top + seen - Math.min(margin, seen / 3)) return;
      const near = index >= top - 3 && index <= top + seen + 3;
      const wanted = near
        ? index < top + seen / 2
          ? index - margin
          : index + 1 + margin - seen
        : index - (seen - 1) / 2;
      element.scrollTop = scrollTopOf(wanted * rowHeight, count, rowHeight, element.clientHeight);
      measure();
    },
    [scroller, measure],
  );

  const height = Math.min(count * rowHeight, HEIGHT_MAX_PX);
  const offset = offsetOf(state.scrollTop, count, rowHeight, state.viewport);
  const top = Math.floor(offset / rowHeight);
  // Nothing at all unless the bar is scaled, so that rows stay where they are.
  const shift = Math.min(state.scrollTop, Math.max(0, height - state.viewport)) - offset;
  const window: RowWindow = {
    first: Math.max(0, top - OVERSCAN),
    end: Math.min(count, Math.ceil((offset + state.viewport) / rowHeight) + OVERSCAN),
    top,
    height,
    topOf: (index) => index * rowHeight + shift,
  };
  return { window, reveal };
}

/** How far the rows are scrolled, when the bar may be scaled. */
function offsetOf(scrollTop: number, count: number, rowHeight: number, viewport: number): number {
  const full = count * rowHeight;
  if (full <= HEIGHT_MAX_PX) return Math.max(0, Math.min(scrollTop, full - viewport));
  return (Math.min(scrollTop, HEIGHT_MAX_PX - viewport) / (HEIGHT_MAX_PX - viewport)) * (full - viewport);
}

function scrollTopOf(offset: number, count: number, rowHeight: number, viewport: number): number {
  const full = count * rowHeight;
  if (full <= HEIGHT_MAX_PX) return offset;
  return (offset / (full - viewport)) * (HEIGHT_MAX_PX - viewport);
}

/** Scrolling inside a row draws nothing anew, unless places depend on the scaled bar. */
function sameRows(a: number, b: number, count: number, rowHeight: number, viewport: number): boolean {
  if (a === b) return true;
  if (count * rowHeight > HEIGHT_MAX_PX) return false;
  const row = (top: number) => Math.floor(offsetOf(top, count, rowHeight, viewport) / rowHeight);
  return row(a) === row(b);
}
