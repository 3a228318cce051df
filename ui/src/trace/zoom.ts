/** Arithmetic of the time that is shown. */
import type { TraceView, Zoom } from './useTraceView';

/** Nothing shorter can be told apart: times are whole microseconds. */
const ZOOM_MIN_US = 5;
/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 4;

/** The time under a pointer, where an element shows `zoom` from its left to its right edge. */
export function timeUnder(clientX: number, element: Element, zoom: Zoom): number {
  const box = element.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  return zoom.from + share * (zoom.to - zoom.from);
}

/** From the one time to the other, whichever is the earlier. */
export function between(a: number, b: number): Zoom {
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

/** What a drag over an element that shows `zoom` has drawn; undefined when it was a click. */
export function drawnZoom(drawn: Zoom, element: Element, zoom: Zoom): Zoom | undefined {
  const px = ((drawn.to - drawn.from) / (zoom.to - zoom.from)) * element.getBoundingClientRect().width;
  return px >= DRAG_MIN_PX ? drawn : undefined;
}

/** Zooms by a factor (below 1: in) so that `at` stays where it is; undefined shows all. */
export function zoomedBy(zoom: Zoom, factor: number, at: number, durationUs: number): Zoom | undefined {
  const width = Math.max(ZOOM_MIN_US, (zoom.to - zoom.from) * factor);
  if (width >= durationUs) return undefined;
  const share = (at - zoom.from) / (zoom.to - zoom.from);
  return within(at - share * width, width, durationUs);
}

/** Moves what is shown by a share of its width. */
export function panned(zoom: Zoom, share: number, durationUs: number): Zoom {
  const width = zoom.to - zoom.from;
  return within(zoom.from + share * width, width, durationUs);
}

function within(from: number, width: number, durationUs: number): Zoom {
  const start = Math.min(Math.max(0, from), Math.max(0, durationUs - width));
  return { from: start, to: start + width };
}

export const zoomKeys = ['w', 's', 'a', 'd', '0'] as const;

/** In, out, left, right, all. */
export function zoomByKey(view: TraceView, key: (typeof zoomKeys)[number]): void {
  const { zoom, times } = view;
  const middle = (zoom.from + zoom.to) / 2;
  const by = (factor: number) => zoomedBy(zoom, factor, middle, times.durationUs);
  if (key === 'w') view.setZoom(by(0.6) ?? zoom);
  else if (key === 's') view.setZoom(by(1 / 0.6));
  else if (key === '0') view.setZoom(undefined);
  else if (view.zoomed) view.setZoom(panned(zoom, key === 'a' ? -0.25 : 0.25, times.durationUs));
}

/** Shows the time of one row, with a little air. */
export function zoomToRow(view: TraceView, row: number): void {
  const start = view.times.start[row]!;
  const duration = view.layout.duration[row]!;
  if (!(start >= 0) || !(duration > 0)) return;
  const air = duration * 0.02;
  view.setZoom({ from: Math.max(0, start - air), to: Math.min(view.times.durationUs, start + duration + air) });
}
