/**
 * From a tree of spans to rows in depth-first order. Two halves of one call are one row unless they are to be split.
 * Children stand by corrected start, then name. Linear but for the sorting of siblings.
 */
import type { CleanSpan } from './clean';
import type { Children, Tree } from './tree';

/** A row before it has a place: indices into the list of spans, -1 for none. */
export interface Rows {
  count: number;
  /** The client half, or the only span of the row. */
  main: Int32Array;
  /** The server half, when both stand in the row. */
  inner: Int32Array;
  parent: Int32Array;
  size: Int32Array;
  depth: Int32Array;
  posInSet: Int32Array;
  setSize: Int32Array;
  /** The row in which a span stands. */
  rowOfSpan: Int32Array;
}

/** Span of the row that stands for a missing root. */
export const NO_SPAN = -1;

export function buildRows(
  spans: readonly CleanSpan[],
  tree: Tree,
  children: Children,
  startOf: (span: number) => number,
  split: boolean,
): Rows {
  const inner = split ? new Int32Array(spans.length).fill(NO_SPAN) : serverHalves(spans, tree);
  const forest = rowForest(spans, tree, children, inner, startOf);
  return flatten(spans.length, forest, inner, tree.root < 0);
}

/** For each span the server half that shares its row: the earliest of its id below it. */
function serverHalves(spans: readonly CleanSpan[], tree: Tree): Int32Array {
  const inner = new Int32Array(spans.length).fill(NO_SPAN);
  for (let i = 0; i < spans.length; i++) {
    const span = spans[i]!;
    const p = tree.parent[i]!;
    if (!span.shared || p < 0 || spans[p]!.id !== span.id || spans[p]!.shared) continue;
    const other = inner[p]!;
    if (other === NO_SPAN || isEarlier(span, spans[other]!)) inner[p] = i;
  }
  return inner;
}

function isEarlier(a: CleanSpan, b: CleanSpan): boolean {
  return (a.timestamp || Number.MAX_VALUE) < (b.timestamp || Number.MAX_VALUE);
}

/** Children of each span once server halves have moved into their client's row; sorted. */
interface Forest {
  tops: number[];
  start: Int32Array;
  list: Int32Array;
}

function rowForest(
  spans: readonly CleanSpan[],
  tree: Tree,
  children: Children,
  inner: Int32Array,
  startOf: (span: number) => number,
): Forest {
  const compare = (a: number, b: number) => {
    const byStart = startOf(a) - startOf(b);
    if (byStart !== 0) return byStart;
    const x = spans[a]!;
    const y = spans[b]!;
    if (x.name !== y.name) return x.name < y.name ? -1 : 1;
    return x.id === y.id ? Number(x.shared) - Number(y.shared) : x.id < y.id ? -1 : 1;
  };
  const start = new Int32Array(spans.length + 1);
  const list = new Int32Array(children.list.length);
  let filled = 0;
  for (let i = 0; i < spans.length; i++) {
    start[i] = filled;
    if (isInner(i, spans, tree, inner)) continue;
    const half = inner[i]!;
    for (let c = children.start[i]!; c < children.start[i + 1]!; c++) {
      if (children.list[c] !== half) list[filled++] = children.list[c]!;
    }
    if (half !== NO_SPAN) {
      for (let c = children.start[half]!; c < children.start[half + 1]!; c++) list[filled++] = children.list[c]!;
    }
    if (filled - start[i]! > 1) list.subarray(start[i]!, filled).sort(compare);
  }
  start[spans.length] = filled;
  const root = tree.root;
  const tops = tree.tops.filter((i) => i !== root).sort(compare);
  if (root >= 0) tops.unshift(root);
  return { tops, start, list };
}

function isInner(i: number, spans: readonly CleanSpan[], tree: Tree, inner: Int32Array): boolean {
  return spans[i]!.shared && tree.parent[i]! >= 0 && inner[tree.parent[i]!] === i;
}

/** Numbers the rows depth first with an explicit stack of spans. */
function flatten(spanCount: number, forest: Forest, inner: Int32Array, virtualRoot: boolean): Rows {
  const first = virtualRoot ? 1 : 0;
  let halves = 0;
  for (const half of inner) if (half !== NO_SPAN) halves++;
  const count = spanCount - halves + first;
  const rows: Rows = {
    count,
    main: new Int32Array(count).fill(NO_SPAN),
    inner: new Int32Array(count).fill(NO_SPAN),
    parent: new Int32Array(count).fill(-1),
    size: new Int32Array(count).fill(1),
    depth: new Int32Array(count),
    posInSet: new Int32Array(count).fill(1),
    setSize: new Int32Array(count).fill(1),
    rowOfSpan: new Int32Array(spanCount),
  };
  // Parent row and place among the siblings are noted per span when the span is put on the stack.
  const parentRow = new Int32Array(spanCount).fill(virtualRoot ? 0 : -1);
  const place = new Int32Array(spanCount);
  const siblings = new Int32Array(spanCount).fill(forest.tops.length);
  const stack = new Int32Array(spanCount);
  let depthOfStack = 0;
  for (let t = forest.tops.length - 1; t >= 0; t--) {
    place[forest.tops[t]!] = t + 1;
    stack[depthOfStack++] = forest.tops[t]!;
  }
  let row = first;
  while (depthOfStack > 0) {
    const span = stack[--depthOfStack]!;
    const parent = parentRow[span]!;
    rows.main[row] = span;
    rows.inner[row] = inner[span]!;
    rows.parent[row] = parent;
    rows.depth[row] = parent < 0 ? 0 : rows.depth[parent]! + 1;
    rows.posInSet[row] = place[span]!;
    rows.setSize[row] = siblings[span]!;
    rows.rowOfSpan[span] = row;
    if (inner[span] !== NO_SPAN) rows.rowOfSpan[inner[span]!] = row;
    const from = forest.start[span]!;
    const to = forest.start[span + 1]!;
    for (let c = to - 1; c >= from; c--) {
      const child = forest.list[c]!;
      parentRow[child] = row;
      place[child] = c - from + 1;
      siblings[child] = to - from;
      stack[depthOfStack++] = child;
    }
    row++;
  }
  for (let r = count - 1; r > 0; r--) if (rows.parent[r]! >= 0) rows.size[rows.parent[r]!]! += rows.size[r]!;
  return rows;
}
