import { useLayoutEffect, useRef, useState } from 'react';

export interface CanvasSize {
  /** In CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Device pixels for each of them. */
  readonly ratio: number;
}

/** A canvas as large as its place, sharp on every screen. Whoever draws does it again when `size` changes. */
export function useCanvas() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<CanvasSize>({ width: 0, height: 0, ratio: 1 });
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = element;
      const ratio = window.devicePixelRatio || 1;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      setSize({ width, height, ratio });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return { canvas, size };
}
