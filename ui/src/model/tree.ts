/** Who is whose child: parents, marks for what did not fit, and children lists. Linear, without recursion. */
import type { CleanSpan } from './clean';
import { sameEndpoint } from './span';

/** Why a span stands where it does. */
export const PLACED = 0;
/** Its parent was not received. */
export const ORPHAN = 1;
/** It was part of a cycle, which was cut here. */
export const CYCLE = 2;
/** It has no parent, but another span is the root. */
export const EXTRA_ROOT = 3;

export interface Tree {
  /** Index of the parent, -1 at the top. */
  parent: Int32Array;
  mark: Uint8Array;
  /** The true root, -1 when none was received. */
  root: number;
  /** All spans without parent: the root first, then by time. */
  tops: number[];
}

/** Children of span `i`: `list[start[i]] … list[start[i + 1] - 1]`. */
export interface Children {
  start: Int32Array;
  list: Int32Array;
}

export function buildTree(spans: readonly CleanSpan[]): Tree {
  const parent = new Int32Array(spans.length).fill(-1);
  const mark = new Uint8Array(spans.length);
  const index = new HalfIndex(spans);
  for (let i = 0; i < spans.length; i++) {
    const span = spans[i]!;
    const p = index.parentOf(i, span);
    parent[i] = p;
    if (p < 0 && span.parentId) mark[i] = ORPHAN;
  }
  cutCycles(spans, parent, mark);
  return withRoot(spans, parent, mark);
}

/** Finds the halves of an id. */
class HalfIndex {
  private readonly plain = new Map<string, number>();
  private readonly shared = new Map<string, number[]>();
  private readonly crowded = new Map<string, Map<string, number>>();

  constructor(private readonly spans: readonly CleanSpan[]) {
    for (let i = 0; i < spans.length; i++) {
      const span = spans[i]!;
      if (!span.shared) {
        if (!this.plain.has(span.id)) this.plain.set(span.id, i);
        continue;
      }
      const list = this.shared.get(span.id);
      if (list) list.push(i);
      else this.shared.set(span.id, [i]);
    }
  }

  parentOf(i: number, span: CleanSpan): number {
    if (span.shared) {
      const client = this.plain.get(span.id);
      if (client !== undefined) return client;
    }
    if (!span.parentId) return -1;
    const client = this.plain.get(span.parentId);
    const server = this.serverOf(span, client === undefined);
    const found = server >= 0 ? server : (client ?? -1);
    return found === i ? -1 : found;
  }

  /** The server half of the parent that runs where `span` runs; any server half when there is no client half. */
  private serverOf(span: CleanSpan, any: boolean): number {
    const list = this.shared.get(span.parentId!);
    if (!list) return -1;
    if (list.length > LINEAR_SEARCH_MAX) {
      const found = this.index(span.parentId!, list).get(endpointKey(span));
      return found ?? (any ? list[0]! : -1);
    }
    for (const i of list) if (sameEndpoint(this.spans[i]!.local, span.local)) return i;
    const service = span.local?.serviceName;
    if (service) for (const i of list) if (this.spans[i]!.local?.serviceName === service) return i;
    return any ? list[0]! : -1;
  }

  private index(id: string, list: number[]): Map<string, number> {
    let byEndpoint = this.crowded.get(id);
    if (!byEndpoint) {
      byEndpoint = new Map();
      for (const i of list) {
        const key = endpointKey(this.spans[i]!);
        if (!byEndpoint.has(key)) byEndpoint.set(key, i);
      }
      this.crowded.set(id, byEndpoint);
    }
    return byEndpoint;
  }
}

/** An id with more server halves than this gets a map, so that hostile input stays linear. */
const LINEAR_SEARCH_MAX = 8;

function endpointKey(span: CleanSpan): string {
  const e = span.local;
  return e ? `${e.serviceName}\n${e.ipv4}\n${e.ipv6}\n${e.port}` : '';
}

/** Walks up from every span once; a walk that meets itself has found a cycle, which loses one link. */
function cutCycles(spans: readonly CleanSpan[], parent: Int32Array, mark: Uint8Array): void {
  const seenBy = new Int32Array(spans.length).fill(-1);
  for (let i = 0; i < spans.length; i++) {
    let at = i;
    while (at >= 0 && seenBy[at]! < 0) {
      seenBy[at] = i;
      at = parent[at]!;
    }
    if (at < 0 || seenBy[at] !== i) continue;
    const top = earliestOfCycle(spans, parent, at);
    parent[top] = -1;
    mark[top] = CYCLE;
  }
}

/** The place of the cut must not depend on the order of the input. */
function earliestOfCycle(spans: readonly CleanSpan[], parent: Int32Array, from: number): number {
  let best = from;
  for (let at = parent[from]!; at !== from; at = parent[at]!) {
    if (compareByTime(spans[at]!, spans[best]!) < 0) best = at;
  }
  return best;
}

function withRoot(spans: readonly CleanSpan[], parent: Int32Array, mark: Uint8Array): Tree {
  const tops: number[] = [];
  for (let i = 0; i < spans.length; i++) if (parent[i]! < 0) tops.push(i);
  tops.sort((a, b) => compareByTime(spans[a]!, spans[b]!));
  const at = tops.findIndex((i) => mark[i] === PLACED);
  if (at < 0) return { parent, mark, root: -1, tops };
  const root = tops[at]!;
  tops.splice(at, 1);
  tops.unshift(root);
  for (const i of tops) if (i !== root && mark[i] === PLACED) mark[i] = EXTRA_ROOT;
  return { parent, mark, root, tops };
}

/** Earlier first, without time last; then by id, client half first. */
export function compareByTime(a: CleanSpan, b: CleanSpan): number {
  if (a.timestamp !== b.timestamp) {
    if (!a.timestamp) return 1;
    if (!b.timestamp) return -1;
    return a.timestamp - b.timestamp;
  }
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return Number(a.shared) - Number(b.shared);
}

/** Children lists of a parent array, in index order. */
export function childrenOf(parent: Int32Array): Children {
  const n = parent.length;
  const start = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) if (parent[i]! >= 0) start[parent[i]! + 1]!++;
  for (let i = 0; i < n; i++) start[i + 1]! += start[i]!;
  const next = start.slice(0, n);
  const list = new Int32Array(start[n]!);
  for (let i = 0; i < n; i++) {
    const p = parent[i]!;
    if (p >= 0) list[next[p]!++] = i;
  }
  return { start, list };
}

/** Every span after its parent. */
export function parentsFirst(tops: readonly number[], children: Children): Int32Array {
  const order = new Int32Array(children.start.length - 1);
  let filled = 0;
  for (const top of tops) order[filled++] = top;
  for (let at = 0; at < filled; at++) {
    const span = order[at]!;
    for (let c = children.start[span]!; c < children.start[span + 1]!; c++) order[filled++] = children.list[c]!;
  }
  return order;
}
