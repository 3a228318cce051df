import { Graph, layout } from '@dagrejs/dagre';

export interface LayoutRequest {
  /** Answers carry it back: an answer to an older request is dropped. */
  readonly id: number;
  readonly nodes: readonly { readonly name: string; readonly width: number; readonly height: number }[];
  readonly links: readonly { readonly parent: string; readonly child: string; readonly weight: number }[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LayoutAnswer {
  readonly id: number;
  /** Upper left corners, in the order of the nodes. */
  readonly corners: readonly Point[];
  /** Bends of the edges, in the order of the links; a call of a service to itself has none. */
  readonly paths: readonly (readonly Point[])[];
}

/** How much a link wants to be short and straight. Whole numbers only: with fractions the ranking may not end. */
export function linkWeight(callCount: number): number {
  return Math.round(1 + Math.log10(1 + callCount));
}

/** Layers from left to right: callers before what they call; links of a cycle lead back. */
export function layOut({ id, nodes, links }: LayoutRequest): LayoutAnswer {
  const graph = new Graph({ directed: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 22, edgesep: 22, ranksep: 96, acyclicer: 'greedy', marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  // Names of services are data: as keys they get a letter before them.
  const key = (name: string) => `n${name}`;
  for (const { name, width, height } of nodes) graph.setNode(key(name), { width, height });
  for (const { parent, child, weight } of links) {
    if (parent !== child) graph.setEdge(key(parent), key(child), { weight });
  }
  layout(graph);
  return {
    id,
    corners: nodes.map(({ name, width, height }) => {
      const { x = 0, y = 0 } = graph.node(key(name)) as { x?: number; y?: number };
      return { x: x - width / 2, y: y - height / 2 };
    }),
    paths: links.map(({ parent, child }) => {
      if (parent === child) return [];
      const edge = graph.edge(key(parent), key(child)) as { points?: Point[] } | undefined;
      return (edge?.points ?? []).map(({ x, y }) => ({ x, y }));
    }),
  };
}
