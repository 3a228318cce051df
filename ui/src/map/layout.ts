import { Graph, layout } from '@dagrejs/dagre';
import type { LayoutAnswer, LayoutRequest, Point } from './layoutCall';

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
