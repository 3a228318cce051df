import { useEffect, useRef, useState } from 'react';
import { startWorker } from '../api/worker';
import { errorShare, type ServiceGraph, type ServiceNode } from './graph';
import workerUrl from './layout.worker?worker&url';
import { type LayoutAnswer, linkWeight } from './layoutCall';

export const nodeHeight = 46;

/** Wide enough for most names and the share of errors beside them; longer names are cut in the box. */
export function nodeWidth(node: ServiceNode): number {
  const errors = nodeErrorShare(node) > 0 ? 58 : 0;
  return Math.min(260, Math.max(132, 62 + 8.2 * [...node.name].length + errors));
}

/** Share of failed calls to a service. */
export function nodeErrorShare({ callsIn, errorsIn }: ServiceNode): number {
  return errorShare({ callCount: callsIn, errorCount: errorsIn });
}

export interface LaidOut {
  readonly graph: ServiceGraph;
  readonly answer: LayoutAnswer;
}

/** The layout of a graph, when the worker has it; until then that of the graph before. */
export function useLayout(graph: ServiceGraph): { readonly laidOut: LaidOut | undefined; readonly error: unknown } {
  const [laidOut, setLaidOut] = useState<LaidOut>();
  const [error, setError] = useState<unknown>();
  const next = useRef(0);
  useEffect(() => {
    next.current += 1;
    const id = next.current;
    const worker = startWorker(workerUrl);
    worker.onmessage = ({ data }: MessageEvent<LayoutAnswer>) => {
      if (data.id === id) setLaidOut({ graph, answer: data });
      worker.terminate();
    };
    worker.onerror = (event) => setError(new Error(event.message));
    worker.postMessage({
      id,
      nodes: graph.nodes.map((node) => ({ name: node.name, width: nodeWidth(node), height: nodeHeight })),
      links: graph.links.map(({ parent, child, callCount }) => ({
        parent,
        child,
        weight: linkWeight(callCount),
      })),
    });
    return () => worker.terminate();
  }, [graph]);
  return { laidOut, error };
}
