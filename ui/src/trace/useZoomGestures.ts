import { useEffect, useRef } from 'react';
import type { TraceView } from './useTraceView';
import { panned, zoomedBy } from './zoom';

/**
 * Ctrl and wheel (also the pinch of a touch pad) zooms round the pointer, Shift and wheel or a sideways wheel moves the
 * time that is shown. Listened to by hand because React's wheel listeners cannot keep the page from scrolling.
 */
export function useZoomGestures(
  element: React.RefObject<HTMLElement | null>,
  view: TraceView,
  laneOf: (element: HTMLElement) => { left: number; width: number },
  enabled = true,
): void {
  const latest = useRef({ view, laneOf, enabled });
  latest.current = { view, laneOf, enabled };
  useEffect(() => {
    const target = element.current;
    if (!target) return;
    const onWheel = (event: WheelEvent) => {
      const { view, laneOf, enabled } = latest.current;
      if (!enabled) return;
      const lane = laneOf(target);
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const share = Math.min(1, Math.max(0, (event.clientX - lane.left) / lane.width));
        const at = view.zoom.from + share * (view.zoom.to - view.zoom.from);
        const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY)) * 0.004);
        view.setZoom(zoomedBy(view.zoom, factor, at, view.times.durationUs));
      } else if (view.zoomed && (event.shiftKey || Math.abs(sideways) > Math.abs(event.deltaY))) {
        event.preventDefault();
        view.setZoom(panned(view.zoom, sideways / lane.width, view.times.durationUs));
      }
    };
    target.addEventListener('wheel', onWheel, { passive: false });
    return () => target.removeEventListener('wheel', onWheel);
  }, [element]);
}
