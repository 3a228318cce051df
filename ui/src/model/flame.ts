/**
 * Boxes of the flame graph. In time order each row has its own box, placed in the first lane below its parent that is free at its start,
 * so that parallel calls never cover each other. Merged by path, rows of one path of operations share a box.
 */
import { FLAG_ERROR, type Layout, type Times } from './layout';

/** Boxes as arrays; a box starts at `x` and is `width` wide, both in microseconds, and lies in lane `y` counted from the top. */
export interface Flame {
  count: number;
  x: Float64Array;
  width: Float64Array;
  y: Int32Array;
  laneCount: number;
  totalUs: number;
  /** In time order the row itself; merged, the first row of the path. */
  row: Int32Array;
  parent: Int32Array;
  /** Boxes of the subtree, itself included: boxes stand in depth-first order. */
  size: Int32Array;
  /** The box of each row. */
  boxOf: Int32Array;
  /** Rows in the box. */
  rows: Int32Array;
  /** Time of all its rows, and the part of it in which no child ran. */
  totalOf: Float64Array;
  selfOf: Float64Array;
  errors: Int32Array;
}

export function flameByTime(layout: Layout, times: Times): Flame {
  const n = layout.rowCount;
  const start = effectiveStarts(layout, times);
  const width = layout.duration.map((d) => d || 0);
  const order = Int32Array.from({ length: n }, (_, i) => i).sort((a, b) => start[a]! - start[b]! || a - b);
  const lanes = new Lanes(n);
  const y = new Int32Array(n);
  let laneCount = 0;
  for (const row of order) {
    const parent = layout.parent[row]!;
    const lane = lanes.firstFree(parent < 0 ? 0 : y[parent]! + 1, start[row]!);
    lanes.occupy(lane, start[row]! + width[row]!);
    y[row] = lane;
    laneCount = Math.max(laneCount, lane + 1);
  }
  const each = Int32Array.from({ length: n }, (_, i) => i);
  return {
    count: n,
    x: start,
    width,
    y,
    laneCount,
    totalUs: times.durationUs,
    row: each,
    boxOf: each,
    parent: layout.parent,
    size: layout.size,
    rows: new Int32Array(n).fill(1),
    totalOf: layout.duration,
    selfOf: layout.self,
    errors: Int32Array.from(layout.flags, (flags) => (flags & FLAG_ERROR ? 1 : 0)),
  };
}

/** A child never stands left of its parent; a row without time stands where its parent starts. */
function effectiveStarts(layout: Layout, times: Times): Float64Array {
  const start = new Float64Array(layout.rowCount);
  for (let row = 0; row < layout.rowCount; row++) {
    const own = times.start[row]!;
    const parent = layout.parent[row]!;
    const least = parent < 0 ? 0 : start[parent]!;
    start[row] = Number.isNaN(own) ? least : Math.max(own, least);
  }
  return start;
}

/** The end of the last box of each lane, as a tree of minima: the first free lane is found in logarithmic time. */
class Lanes {
  private readonly width: number;
  private readonly least: Float64Array;

  constructor(count: number) {
    this.width = 2 ** Math.ceil(Math.log2(Math.max(1, count)));
    this.least = new Float64Array(2 * this.width).fill(Number.NEGATIVE_INFINITY);
  }

  /** The first lane from `from` on whose last box ended at or before `at`. */
  firstFree(from: number, at: number): number {
    let node = this.width + from;
    while (this.least[node]! > at) {
      // To the next subtree on the right: up while this is a right child.
      while (node & 1) node >>= 1;
      node++;
    }
    while (node < this.width) node = this.least[2 * node]! <= at ? 2 * node : 2 * node + 1;
    return node - this.width;
  }

  occupy(lane: number, until: number): void {
    let node = this.width + lane;
    this.least[node] = Math.max(until, this.least[node]!);
    for (node >>= 1; node >= 1; node >>= 1) {
      this.least[node] = Math.min(this.least[2 * node]!, this.least[2 * node + 1]!);
    }
  }
}

export function flameByPath(layout: Layout): Flame {
  const boxOfRow = new Int32Array(layout.rowCount);
  const boxes = new Map<string, number>();
  const parent: number[] = [];
  const row: number[] = [];
  const sums = { rows: [] as number[], total: [] as number[], self: [] as number[], errors: [] as number[] };
  for (let r = 0; r < layout.rowCount; r++) {
    const above = layout.parent[r]! < 0 ? -1 : boxOfRow[layout.parent[r]!]!;
    const key = `${above}/${layout.service[r]}/${layout.operation[r]}`;
    let box = boxes.get(key);
    if (box === undefined) {
      box = parent.length;
      boxes.set(key, box);
      parent.push(above);
      row.push(r);
      for (const list of Object.values(sums)) list.push(0);
    }
    boxOfRow[r] = box;
    sums.rows[box]!++;
    sums.total[box]! += layout.duration[r]! || 0;
    sums.self[box]! += layout.self[r]! || 0;
    if (layout.flags[r]! & FLAG_ERROR) sums.errors[box]!++;
  }
  const { flame, place } = arrange(parent, row, sums);
  return { ...flame, boxOf: boxOfRow.map((box) => place[box]!) };
}

interface Sums {
  rows: number[];
  total: number[];
  self: number[];
  errors: number[];
}

/** Boxes were numbered after their parents; puts them depth first, the widest of siblings first. */
function arrange(parent: number[], row: number[], sums: Sums): { flame: Flame; place: Int32Array } {
  const n = parent.length;
  const childWidth = new Float64Array(n);
  const width = new Float64Array(n);
  const size = new Int32Array(n).fill(1);
  for (let box = n - 1; box >= 0; box--) {
    // Parallel children may take more time than their parent: then it is as wide as all of them.
    width[box] = Math.max(sums.total[box]!, childWidth[box]!);
    if (parent[box]! < 0) continue;
    childWidth[parent[box]!]! += width[box]!;
    size[parent[box]!]! += size[box]!;
  }
  const children: number[][] = Array.from({ length: n }, () => []);
  const tops: number[] = [];
  for (let box = 0; box < n; box++) (parent[box]! < 0 ? tops : children[parent[box]!]!).push(box);
  const wider = (a: number, b: number) => width[b]! - width[a]! || a - b;
  const flame = emptyFlame(n);
  const place = new Int32Array(n).fill(-1);
  const x = new Float64Array(n);
  let offset = 0;
  for (const top of tops.sort(wider)) {
    x[top] = offset;
    offset += width[top]!;
  }
  flame.totalUs = offset;
  const stack = tops.reverse();
  for (let at = 0; stack.length > 0; at++) {
    const box = stack.pop()!;
    const above = parent[box]! < 0 ? -1 : place[parent[box]!]!;
    place[box] = at;
    flame.parent[at] = above;
    flame.y[at] = above < 0 ? 0 : flame.y[above]! + 1;
    flame.laneCount = Math.max(flame.laneCount, flame.y[at]! + 1);
    flame.x[at] = x[box]!;
    flame.width[at] = width[box]!;
    flame.size[at] = size[box]!;
    flame.row[at] = row[box]!;
    flame.rows[at] = sums.rows[box]!;
    flame.totalOf[at] = sums.total[box]!;
    flame.selfOf[at] = sums.self[box]!;
    flame.errors[at] = sums.errors[box]!;
    let left = x[box]!;
    const below = children[box]!.sort(wider);
    for (const child of below) {
      x[child] = left;
      left += width[child]!;
    }
    for (let i = below.length - 1; i >= 0; i--) stack.push(below[i]!);
  }
  return { flame, place };
}

function emptyFlame(count: number): Flame {
  const times = () => new Float64Array(count);
  const numbers = () => new Int32Array(count);
  return {
    count,
    x: times(),
    width: times(),
    y: numbers(),
    laneCount: 0,
    totalUs: 0,
    row: numbers(),
    boxOf: numbers(),
    parent: numbers(),
    size: numbers(),
    rows: numbers(),
    totalOf: times(),
    selfOf: times(),
    errors: numbers(),
  };
}
