/**
 * A trace as rows in depth-first order, held as arrays: what the page draws from. Times are microseconds relative to the
 * start of the trace; NaN stands for "not known". Names are numbers into `services` and `operations`.
 */

export const KIND_NONE = 0;
export const KIND_CLIENT = 1;
export const KIND_SERVER = 2;
export const KIND_PRODUCER = 3;
export const KIND_CONSUMER = 4;
/** Client and server half in one row. */
export const KIND_RPC = 5;
/** Producer and consumer half in one row. */
export const KIND_MESSAGE = 6;

/** Tag `error`. */
export const FLAG_ERROR = 1 << 0;
/** Annotation `error`: something went wrong on the way, and was survived. */
export const FLAG_WARNING = 1 << 1;
export const FLAG_ORPHAN = 1 << 2;
export const FLAG_CYCLE = 1 << 3;
export const FLAG_EXTRA_ROOT = 1 << 4;
/** A row without span: it stands for the root that was not received. */
export const FLAG_VIRTUAL = 1 << 5;
/** Nobody waits for it: it is never on the critical path. */
export const FLAG_ASYNC = 1 << 6;
export const FLAG_SKEWED = 1 << 7;
/** Both halves were received and stand in this row. */
export const FLAG_HALVES = 1 << 8;
/** With halves split: this row is the client half of two. */
export const FLAG_CLIENT_HALF = 1 << 9;
/** With halves split: this row is the server half of two. */
export const FLAG_SERVER_HALF = 1 << 10;
/** An earlier row has the same key: this one is told apart by a number. */
export const FLAG_REPEATED = 1 << 11;
export const FLAG_DEBUG = 1 << 12;

/** Times of the rows under one reading of the clocks. */
export interface Times {
  /** Start of the trace, epoch microseconds. */
  originUs: number;
  /** From the first start to the last end. */
  durationUs: number;
  start: Float64Array;
  /** The server half inside the bar; NaN when there is none. */
  innerStart: Float64Array;
  /** Times of annotations: those of row `i` are `ticks[tickStart[i]] … ticks[tickStart[i + 1] - 1]`. */
  ticks: Float64Array;
}

export interface SkewNote {
  service: string;
  address: string;
  shiftUs: number;
  row: number;
}

export interface Layout {
  traceId: string;
  rowCount: number;
  spanCount: number;
  serviceCount: number;
  depthMax: number;
  split: boolean;
  /** With clock skew corrected. */
  times: Times;
  /** As reported; the same object as `times` when nothing was corrected. */
  rawTimes: Times;
  skewChecked: boolean;
  skews: SkewNote[];

  duration: Float64Array;
  innerDuration: Float64Array;
  tickStart: Int32Array;
  self: Float64Array;

  parent: Int32Array;
  /** Rows of the subtree, itself included: the next row beside it is `row + size[row]`. */
  size: Int32Array;
  depth: Int32Array;
  posInSet: Int32Array;
  setSize: Int32Array;
  errorsBelow: Int32Array;

  kind: Uint8Array;
  flags: Int32Array;
  service: Int32Array;
  operation: Int32Array;
  services: string[];
  operations: string[];
  /** Span ids of 16 digits, one after the other. */
  ids: string;

  critical: CriticalPath;
}

/** The critical path as segments; those of row `i` are at `rowStart[i] … rowStart[i + 1] - 1`. */
export interface CriticalPath {
  rowStart: Int32Array;
  /** Microseconds relative to the start of the trace, corrected times. */
  from: Float64Array;
  to: Float64Array;
  /** Microseconds of each row on the path. */
  share: Float64Array;
  totalUs: number;
}

const ID_LENGTH = 16;

export function spanIdOf(layout: Layout, row: number): string {
  return layout.ids.substr(row * ID_LENGTH, ID_LENGTH);
}

/** What names a row in an address: the span id, `-c` or `-s` for a half, and a number if it is taken already. */
export function rowKey(layout: Layout, row: number): string {
  const id = spanIdOf(layout, row);
  const flags = layout.flags[row]!;
  const half = flags & FLAG_CLIENT_HALF ? '-c' : flags & FLAG_SERVER_HALF ? '-s' : '';
  if (!(flags & FLAG_REPEATED)) return id + half;
  let n = 1;
  for (let i = 0; i < row; i++) if (sameKey(layout, i, row)) n++;
  return `${id}${half}-${n}`;
}

/** The row of a key, -1 when there is none. A half that is not shown alone falls back to the row of its span. */
export function rowOfKey(layout: Layout, key: string): number {
  const match = /^([0-9a-f]{1,16})(?:-([cs]))?(?:-([1-9]\d{0,5}))?$/.exec(key);
  if (!match) return -1;
  const id = match[1]!.padStart(ID_LENGTH, '0');
  const half = match[2] === 's' ? FLAG_SERVER_HALF : match[2] === 'c' ? FLAG_CLIENT_HALF : 0;
  let left = Number(match[3] ?? 1);
  let fallback = -1;
  for (let at = nextId(layout.ids, id, 0); at >= 0; at = nextId(layout.ids, id, at + 1)) {
    if (layout.flags[at]! & FLAG_VIRTUAL) continue;
    if (fallback < 0) fallback = at;
    if ((layout.flags[at]! & (FLAG_CLIENT_HALF | FLAG_SERVER_HALF)) === half && --left === 0) return at;
  }
  return fallback;
}

function sameKey(layout: Layout, a: number, b: number): boolean {
  const halves = FLAG_CLIENT_HALF | FLAG_SERVER_HALF;
  return spanIdOf(layout, a) === spanIdOf(layout, b) && (layout.flags[a]! & halves) === (layout.flags[b]! & halves);
}

/** `indexOf` on whole ids, so that a match across two ids does not count. */
function nextId(ids: string, id: string, fromRow: number): number {
  let at = ids.indexOf(id, fromRow * ID_LENGTH);
  while (at >= 0 && at % ID_LENGTH !== 0) at = ids.indexOf(id, at + 1);
  return at < 0 ? -1 : at / ID_LENGTH;
}

export function isError(layout: Layout, row: number): boolean {
  return (layout.flags[row]! & FLAG_ERROR) !== 0;
}

/** True when `row` is `ancestor` or below it. */
export function isWithin(layout: Layout, ancestor: number, row: number): boolean {
  return row >= ancestor && row < ancestor + layout.size[ancestor]!;
}

/** Ancestors from the top down, without the row itself. */
export function ancestorsOf(layout: Layout, row: number): number[] {
  const result: number[] = [];
  for (let at = layout.parent[row]!; at >= 0; at = layout.parent[at]!) result.push(at);
  return result.reverse();
}
