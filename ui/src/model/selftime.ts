/** Self time: a row's duration without the time in which a child ran. */
import type { TimedRows } from './critical';

/** NaN where the row itself has no time. Linear as long as children stand by start; sorted where they do not. */
export function selfTimes(rows: TimedRows): Float64Array {
  const self = new Float64Array(rows.count);
  for (let row = 0; row < rows.count; row++) {
    const duration = rows.duration[row]!;
    const start = rows.start[row]!;
    self[row] = Number.isNaN(start) ? duration : duration - covered(rows, row, start, start + duration);
  }
  return self;
}

/** Length of the union of the children's intervals inside `from` … `to`. */
function covered(rows: TimedRows, row: number, from: number, to: number): number {
  const end = row + rows.size[row]!;
  let total = 0;
  let reached = from;
  let previous = Number.NEGATIVE_INFINITY;
  for (let child = row + 1; child < end; child += rows.size[child]!) {
    const start = rows.start[child]!;
    if (Number.isNaN(start)) continue;
    if (start < previous) return coveredUnsorted(rows, row, from, to);
    previous = start;
    const begin = Math.max(start, reached);
    const stop = Math.min(start + rows.duration[child]!, to);
    if (!(stop > begin)) continue;
    total += stop - begin;
    reached = stop;
  }
  return total;
}

function coveredUnsorted(rows: TimedRows, row: number, from: number, to: number): number {
  const children: number[] = [];
  const end = row + rows.size[row]!;
  for (let child = row + 1; child < end; child += rows.size[child]!) {
    if (rows.start[child]! >= Number.NEGATIVE_INFINITY) children.push(child);
  }
  children.sort((a, b) => rows.start[a]! - rows.start[b]!);
  let total = 0;
  let reached = from;
  for (const child of children) {
    const begin = Math.max(rows.start[child]!, reached);
    const stop = Math.min(rows.start[child]! + rows.duration[child]!, to);
    if (!(stop > begin)) continue;
    total += stop - begin;
    reached = stop;
  }
  return total;
}
