import type { MapSort } from '../address/map';

/** Calls between two services, as `GET /dependencies` tells them. */
export interface ServiceLink {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
  readonly errorCount: number;
}

export interface ServiceNode {
  readonly name: string;
  readonly callsIn: number;
  readonly callsOut: number;
  /** Errors of calls to this service. */
  readonly errorsIn: number;
}

export interface ServiceGraph {
  readonly nodes: readonly ServiceNode[];
  readonly links: readonly ServiceLink[];
}

/** More services than this are not drawn at once: the map starts at the busiest one. */
export const nodesAtOnceMax = 300;

/** More links than this are neither readable nor quickly laid out: the ones with the most calls are drawn. */
export const linksAtOnceMax = 400;

/** Reads the answer strictly; links of the same two services are added up. */
export function parseLinks(data: unknown): ServiceLink[] | undefined {
  if (!Array.isArray(data)) return undefined;
  const links = new Map<string, ServiceLink>();
  for (const one of data as unknown[]) {
    if (typeof one !== 'object' || one === null) return undefined;
    const { parent, child, callCount, errorCount } = one as Record<string, unknown>;
    if (typeof parent !== 'string' || typeof child !== 'string') return undefined;
    const key = linkKey(parent, child);
    const known = links.get(key);
    links.set(key, {
      parent,
      child,
      callCount: (known?.callCount ?? 0) + count(callCount),
      errorCount: (known?.errorCount ?? 0) + count(errorCount),
    });
  }
  return [...links.values()];
}

const count = (value: unknown): number => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0);

/** One text for a pair of names that no other pair has. */
export function linkKey(parent: string, child: string): string {
  return JSON.stringify([parent, child]);
}

export function serviceGraph(links: readonly ServiceLink[]): ServiceGraph {
  const nodes = new Map<string, { name: string; callsIn: number; callsOut: number; errorsIn: number }>();
  const node = (name: string) => {
    const known = nodes.get(name) ?? { name, callsIn: 0, callsOut: 0, errorsIn: 0 };
    nodes.set(name, known);
    return known;
  };
  for (const { parent, child, callCount, errorCount } of links) {
    node(parent).callsOut += callCount;
    const called = node(child);
    called.callsIn += callCount;
    called.errorsIn += errorCount;
  }
  return { nodes: [...nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), links };
}

/** The service with the most calls, in and out. */
export function busiest(graph: ServiceGraph): string | undefined {
  let best: ServiceNode | undefined;
  for (const node of graph.nodes) {
    if (!best || node.callsIn + node.callsOut > best.callsIn + best.callsOut) best = node;
  }
  return best?.name;
}

/** What lies within some hops of a service, callers and called alike, with the links between these. */
export function around(graph: ServiceGraph, focus: string, hops: number): ServiceGraph {
  const neighbours = new Map<string, string[]>();
  const add = (from: string, to: string) => {
    const known = neighbours.get(from);
    if (known) known.push(to);
    else neighbours.set(from, [to]);
  };
  for (const { parent, child } of graph.links) {
    add(parent, child);
    add(child, parent);
  }
  const near = new Set([focus]);
  let edge = [focus];
  for (let hop = 0; hop < hops && edge.length > 0; hop += 1) {
    const next: string[] = [];
    for (const name of edge) {
      for (const other of neighbours.get(name) ?? []) {
        if (!near.has(other)) {
          near.add(other);
          next.push(other);
        }
      }
    }
    edge = next;
  }
  return {
    nodes: graph.nodes.filter(({ name }) => near.has(name)),
    links: graph.links.filter(({ parent, child }) => near.has(parent) && near.has(child)),
  };
}

/** What is drawn of a graph: the busiest links up to the limit, and the services they connect. */
export function drawable(graph: ServiceGraph, keep: string | undefined): ServiceGraph {
  if (graph.links.length <= linksAtOnceMax) return graph;
  const links = [...graph.links].sort((a, b) => b.callCount - a.callCount).slice(0, linksAtOnceMax);
  const names = new Set(links.flatMap(({ parent, child }) => [parent, child]));
  return { nodes: graph.nodes.filter(({ name }) => names.has(name) || name === keep), links };
}

export function errorShare({ callCount, errorCount }: Pick<ServiceLink, 'callCount' | 'errorCount'>): number {
  return callCount > 0 ? Math.min(1, errorCount / callCount) : 0;
}

export type Health = 'ok' | 'warning' | 'critical';

/** As lens: an edge turns at the operator's two limits of the share of errors. */
export function healthOf(
  share: number,
  limits: { readonly lowErrorRate: number; readonly highErrorRate: number },
): Health {
  if (share > 0 && share >= limits.highErrorRate) return 'critical';
  return share > 0 && share >= limits.lowErrorRate ? 'warning' : 'ok';
}

/** Width of an edge in px: grows with the logarithm of the calls, between the fewest and the most. */
export function edgeWidth(callCount: number, [fewest, most]: readonly [number, number]): number {
  const span = Math.log1p(most) - Math.log1p(fewest);
  return span > 0 ? 1.25 + (3.75 * (Math.log1p(callCount) - Math.log1p(fewest))) / span : 2;
}

export function sortLinks(
  links: readonly ServiceLink[],
  by: MapSort,
  descending: boolean,
  compare: (a: string, b: string) => number,
): ServiceLink[] {
  const sign = descending ? -1 : 1;
  const order = (a: ServiceLink, b: ServiceLink): number => {
    switch (by) {
      case 'parent':
        return compare(a.parent, b.parent);
      case 'child':
        return compare(a.child, b.child);
      case 'calls':
        return a.callCount - b.callCount;
      case 'errors':
        return a.errorCount - b.errorCount;
      case 'rate':
        return errorShare(a) - errorShare(b);
    }
  };
  return [...links].sort((a, b) => sign * order(a, b) || compare(a.parent, b.parent) || compare(a.child, b.child));
}
