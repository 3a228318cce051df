import { FLAG_VIRTUAL, type Layout } from '../model/layout';

/** `service operation` of the root: the name of the trace. */
export function rootName(layout: Layout, missingRoot: string, noService: string): string {
  if (layout.flags[0]! & FLAG_VIRTUAL) return missingRoot;
  const service = layout.services[layout.service[0]!]! || noService;
  return `${service} ${layout.operations[layout.operation[0]!]!}`.trim();
}
