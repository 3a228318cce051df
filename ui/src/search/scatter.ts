import type { Brush } from '../address/search';
import type { TraceSummary } from './summary';

/** More points than this overlap too much to be told apart: then their density is drawn. */
export const scatterPointsMax = 2_000;

/** Where points stand: epoch ms and µs, at least 1 because the axis is logarithmic. */
export interface ScatterData {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The traces by position in time: same order as x. */
  readonly traces: readonly TraceSummary[];
  /** The first and the last start with a little air: what was not returned is not known, so it has no space. */
  readonly xRange: readonly [number, number];
  /** Lowest and highest value of the duration axis. */
  readonly yRange: readonly [number, number];
}

export function scatterData(traces: readonly TraceSummary[]): ScatterData {
  const ordered = [...traces].sort((a, b) => a.startUs - b.startUs);
  const y = ordered.map(({ durationUs }) => Math.max(1, durationUs));
  let low = Number.POSITIVE_INFINITY;
  let high = 1;
  for (const us of y) {
    low = Math.min(low, us);
    high = Math.max(high, us);
  }
  // A little air, so that no point lies on the frame; at least a decade, so that equal durations make a line.
  const middle = Math.sqrt(Math.min(low, high) * high);
  const firstMs = (ordered[0]?.startUs ?? 0) / 1000;
  const lastMs = (ordered.at(-1)?.startUs ?? 0) / 1000;
  const airMs = Math.max(1, (lastMs - firstMs) * 0.03);
  return {
    xRange: [Math.max(0, firstMs - airMs), lastMs + airMs],
    x: ordered.map(({ startUs }) => startUs / 1000),
    y,
    traces: ordered,
    yRange: [Math.max(0.5, Math.min(low / 1.6, middle / 3.2)), Math.max(high * 1.6, middle * 3.2)],
  };
}

/** Whether cells are drawn in place of points: by choice, or because the points would cover each other. */
export function isDense(data: ScatterData, chosen: boolean): boolean {
  return chosen || data.traces.length > scatterPointsMax;
}

/** Marks of a logarithmic axis: decades, with 2 and 5 between them where there is room. */
export function logTicks([low, high]: readonly [number, number]): number[] {
  const steps = Math.log10(high / low) > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const step of steps) {
      const tick = Number((decade * step).toPrecision(6));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** Whole numbers that hold everything between two corners of the plot. */
export function brushBetween(x0: number, x1: number, y0: number, y1: number): Brush {
  return {
    startMs: Math.max(0, Math.floor(Math.min(x0, x1))),
    endMs: Math.max(0, Math.ceil(Math.max(x0, x1))),
    minUs: Math.max(0, Math.floor(Math.min(y0, y1))),
    maxUs: Math.max(0, Math.ceil(Math.max(y0, y1))),
  };
}

export interface Cell {
  readonly column: number;
  readonly row: number;
  count: number;
  errorCount: number;
}

/** Counts of points by cells of a grid; `place` gives the pixel of a point. */
export function bin(
  data: ScatterData,
  place: (index: number) => readonly [number, number],
  cellPx: number,
): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const [index, trace] of data.traces.entries()) {
    const [px, py] = place(index);
    const column = Math.floor(px / cellPx);
    const row = Math.floor(py / cellPx);
    const key = `${column} ${row}`;
    const cell = cells.get(key) ?? { column, row, count: 0, errorCount: 0 };
    cell.count += 1;
    if (trace.errorCount > 0) cell.errorCount += 1;
    cells.set(key, cell);
  }
  return cells;
}

/** The point nearest to a pixel, within a reach. */
export function nearest(
  data: ScatterData,
  place: (index: number) => readonly [number, number],
  px: number,
  py: number,
  reachPx: number,
): number | undefined {
  let best: number | undefined;
  let bestDistance = reachPx * reachPx;
  for (let index = 0; index < data.x.length; index += 1) {
    const [x, y] = place(index);
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance <= bestDistance) {
      best = index;
      bestDistance = distance;
    }
  }
  return best;
}

/** Radius of a marker: the area grows with the logarithm of the spans. */
export function markerRadius(spanCount: number): number {
  return Math.min(9, 3 + 1.1 * Math.log2(Math.max(1, spanCount)) ** 0.9);
}

/** Growing a brush by keys: one side moves by a share of the axis, logarithmic upwards. */
export function growBrush(
  brush: Brush,
  key: string,
  xRange: readonly [number, number],
  yRange: readonly [number, number],
): Brush {
  const stepMs = Math.max(1, Math.round((xRange[1] - xRange[0]) / 20));
  const factor = (yRange[1] / yRange[0]) ** (1 / 20);
  switch (key) {
    case 'ArrowRight':
      return { ...brush, endMs: Math.min(xRange[1], brush.endMs + stepMs) };
    case 'ArrowLeft':
      return { ...brush, startMs: Math.max(xRange[0], brush.startMs - stepMs) };
    case 'ArrowUp':
      return { ...brush, maxUs: Math.ceil(Math.min(yRange[1], brush.maxUs * factor)) };
    case 'ArrowDown':
      return { ...brush, minUs: Math.floor(Math.max(yRange[0], brush.minUs / factor)) };
    default:
      return brush;
  }
}
