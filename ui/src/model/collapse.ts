/** Which rows are closed, how an address says so, and which rows are therefore shown. All linear. */
import { type Collapsed, collapsedIdsMax } from '../address/trace';
import { type Layout, rowKey, rowOfKey } from './layout';

/** Above this number of rows a trace starts partly closed. */
export const ROWS_OPEN_MAX = 10_000;
/** Rows that a partly closed trace shows at most at the start. */
export const ROWS_AT_START_MAX = 2_000;

/** One byte per row: 1 when its children are hidden. */
export type ClosedRows = Uint8Array<ArrayBuffer>;

export const canClose = (layout: Layout, row: number): boolean => layout.size[row]! > 1;

/** The depth at which rows start closed; undefined when all are open. */
export function depthAtStart(layout: Layout): number | undefined {
  if (layout.rowCount <= ROWS_OPEN_MAX) return undefined;
  const perDepth = new Int32Array(layout.depthMax + 1);
  for (let row = 0; row < layout.rowCount; row++) perDepth[layout.depth[row]!]!++;
  let shown = perDepth[0]!;
  let depth = 0;
  while (depth < layout.depthMax && shown + perDepth[depth + 1]! <= ROWS_AT_START_MAX) shown += perDepth[++depth]!;
  // A closed root alone would say nothing.
  return Math.max(1, depth);
}

export function closedRows(layout: Layout, collapsed: Collapsed): ClosedRows {
  const closed = new Uint8Array(layout.rowCount);
  switch (collapsed.kind) {
    case 'default': {
      const depth = depthAtStart(layout);
      if (depth !== undefined) closeFrom(layout, closed, depth);
      break;
    }
    case 'these':
      for (const row of rowsOf(layout, collapsed.ids)) closed[row] = 1;
      break;
    case 'allBut':
      closeFrom(layout, closed, 0);
      for (const row of rowsOf(layout, collapsed.ids)) closed[row] = 0;
      break;
    case 'depth':
      closeFrom(layout, closed, collapsed.depth);
      for (const row of rowsOf(layout, collapsed.except)) closed[row] = closed[row]! ^ 1;
      break;
  }
  return closed;
}

function closeFrom(layout: Layout, closed: ClosedRows, depth: number): void {
  for (let row = 0; row < layout.rowCount; row++) {
    if (layout.depth[row]! >= depth && canClose(layout, row)) closed[row] = 1;
  }
}

function rowsOf(layout: Layout, ids: readonly string[]): number[] {
  return ids.map((id) => rowOfKey(layout, id)).filter((row) => row >= 0 && canClose(layout, row));
}

/** The shortest way to write the closed rows. Beyond the limit of names the nearest depth is written. */
export function describeClosed(layout: Layout, closed: ClosedRows): Collapsed {
  if (equal(closed, closedRows(layout, { kind: 'default' }))) return { kind: 'default' };
  const counts = countByDepth(layout, closed);
  const names = (wanted: (row: number) => boolean) => keysWhere(layout, wanted);
  if (counts.closed <= collapsedIdsMax) return { kind: 'these', ids: names((row) => closed[row] === 1) };
  if (counts.open <= collapsedIdsMax) return { kind: 'allBut', ids: names((row) => closed[row] === 0) };
  const depth = nearestDepth(counts);
  const except = names((row) => (closed[row] === 1) !== layout.depth[row]! >= depth);
  return { kind: 'depth', depth, except };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((value, i) => value === b[i]);
}

interface Counts {
  closed: number;
  open: number;
  closedAt: Int32Array;
  openAt: Int32Array;
}

function countByDepth(layout: Layout, closed: ClosedRows): Counts {
  const closedAt = new Int32Array(layout.depthMax + 2);
  const openAt = new Int32Array(layout.depthMax + 2);
  for (let row = 0; row < layout.rowCount; row++) {
    if (canClose(layout, row)) (closed[row] ? closedAt : openAt)[layout.depth[row]!]!++;
  }
  const sum = (counts: Int32Array) => counts.reduce((total, count) => total + count, 0);
  return { closed: sum(closedAt), open: sum(openAt), closedAt, openAt };
}

/** The depth with the fewest exceptions: closed rows above it plus open rows from it on. */
function nearestDepth({ closedAt, openAt, open }: Counts): number {
  let exceptions = open;
  let best = 0;
  let fewest = exceptions;
  for (let depth = 0; depth < closedAt.length; depth++) {
    exceptions += closedAt[depth]! - openAt[depth]!;
    if (exceptions < fewest) {
      fewest = exceptions;
      best = depth + 1;
    }
  }
  return best;
}

/** Keys of the openable rows that are wanted, up to the limit of an address. */
function keysWhere(layout: Layout, wanted: (row: number) => boolean): string[] {
  const keys: string[] = [];
  for (let row = 0; row < layout.rowCount && keys.length < collapsedIdsMax; row++) {
    if (canClose(layout, row) && wanted(row)) keys.push(rowKey(layout, row));
  }
  return keys;
}

export interface Filter {
  /** Only this row and what is below it; -1 for all. */
  root: number;
  /** One byte per row, 1 for rows to show; their ancestors are shown too. */
  keep: Uint8Array | undefined;
}

/** The rows shown, in order: not below a closed row, inside the focus, and kept by the filter. */
export function visibleRows(layout: Layout, closed: ClosedRows, filter: Filter): Int32Array {
  const first = Math.max(0, filter.root);
  const end = filter.root >= 0 ? first + layout.size[first]! : layout.rowCount;
  const keep = filter.keep && withAncestors(layout, filter.keep);
  const visible = new Int32Array(end - first);
  let count = 0;
  for (let row = first; row < end; ) {
    if (keep && keep[row] === 0) {
      row += layout.size[row]!;
      continue;
    }
    visible[count++] = row;
    // A filter opens what leads to its rows: hiding them again would make it useless.
    row += closed[row] === 1 && !keep ? layout.size[row]! : 1;
  }
  return visible.subarray(0, count);
}

function withAncestors(layout: Layout, keep: Uint8Array): Uint8Array {
  const result = keep.slice();
  for (let row = layout.rowCount - 1; row > 0; row--) {
    const parent = layout.parent[row]!;
    if (parent >= 0 && result[row]) result[parent] = 1;
  }
  return result;
}

/** Place of a row among the shown ones, or of its nearest shown ancestor; -1 when there is none. */
export function placeOf(layout: Layout, visible: Int32Array, row: number): number {
  for (let at = row; at >= 0; at = layout.parent[at]!) {
    const place = binarySearch(visible, at);
    if (place >= 0) return place;
  }
  return -1;
}

/** Shown rows stand in ascending order. */
export function binarySearch(sorted: Int32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = sorted[middle]!;
    if (value === wanted) return middle;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
