/**
 * The critical path: what the root waited for, from its end backwards. The segments partition the root's time, so their
 * lengths add up to its duration. One stack instead of recursion; each list of children is sorted once.
 */
import { type CriticalPath, FLAG_ASYNC } from './layout';

/** What the path is computed from: rows in depth-first order, times relative to the trace. */
export interface TimedRows {
  count: number;
  start: Float64Array;
  duration: Float64Array;
  size: Int32Array;
  flags: Int32Array;
}

/** A row on the way: its interval cut to its parent's, and the children not yet looked at, latest end first. */
interface Frame {
  row: number;
  from: number;
  to: number;
  cursor: number;
  children: number[];
  next: number;
}

interface Segments {
  row: number[];
  from: number[];
  to: number[];
}

export function criticalPath(rows: TimedRows): CriticalPath {
  const segments: Segments = { row: [], from: [], to: [] };
  if (rows.count > 0 && rows.duration[0]! > 0 && rows.start[0]! >= 0) walk(rows, segments);
  return byRow(rows.count, segments);
}

function walk(rows: TimedRows, segments: Segments): void {
  const stack: Frame[] = [frameOf(rows, 0, rows.start[0]!, rows.start[0]! + rows.duration[0]!)];
  while (stack.length > 0) {
    const frame = stack[stack.length - 1]!;
    const child = nextChild(rows, frame);
    if (child < 0) {
      emit(segments, frame.row, frame.from, frame.cursor);
      stack.pop();
      continue;
    }
    const from = Math.max(rows.start[child]!, frame.from);
    const to = cutEnd(rows, child, frame.to);
    emit(segments, frame.row, to, frame.cursor);
    frame.cursor = from;
    stack.push(frameOf(rows, child, from, to));
  }
}

function nextChild(rows: TimedRows, frame: Frame): number {
  while (frame.next < frame.children.length) {
    const child = frame.children[frame.next++]!;
    if (cutEnd(rows, child, frame.to) <= frame.cursor) return child;
  }
  return -1;
}

function cutEnd(rows: TimedRows, row: number, limit: number): number {
  return Math.min(rows.start[row]! + rows.duration[row]!, limit);
}

function frameOf(rows: TimedRows, row: number, from: number, to: number): Frame {
  const children: number[] = [];
  const end = row + rows.size[row]!;
  for (let child = row + 1; child < end; child += rows.size[child]!) {
    if (rows.flags[child]! & FLAG_ASYNC) continue;
    // Also false for unknown times, which are NaN.
    if (cutEnd(rows, child, to) > Math.max(rows.start[child]!, from)) children.push(child);
  }
  if (children.length > 1) {
    children.sort((a, b) => cutEnd(rows, b, to) - cutEnd(rows, a, to) || rows.start[a]! - rows.start[b]! || a - b);
  }
  return { row, from, to, cursor: to, children, next: 0 };
}

function emit(segments: Segments, row: number, from: number, to: number): void {
  if (to <= from) return;
  segments.row.push(row);
  segments.from.push(from);
  segments.to.push(to);
}

/** Segments were found from the end to the start: turned round, those of a row stand together in time order. */
function byRow(count: number, segments: Segments): CriticalPath {
  const n = segments.row.length;
  const rowStart = new Int32Array(count + 1);
  for (const row of segments.row) rowStart[row + 1]!++;
  for (let i = 0; i < count; i++) rowStart[i + 1]! += rowStart[i]!;
  const at = rowStart.slice(0, count);
  const from = new Float64Array(n);
  const to = new Float64Array(n);
  const share = new Float64Array(count);
  let totalUs = 0;
  for (let s = n - 1; s >= 0; s--) {
    const row = segments.row[s]!;
    const place = at[row]!++;
    from[place] = segments.from[s]!;
    to[place] = segments.to[s]!;
    share[row]! += segments.to[s]! - segments.from[s]!;
    totalUs += segments.to[s]! - segments.from[s]!;
  }
  return { rowStart, from, to, share, totalUs };
}
