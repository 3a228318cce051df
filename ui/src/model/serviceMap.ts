/** The services of one trace and the calls between them. */
import { FLAG_ERROR, FLAG_VIRTUAL, type Layout } from './layout';

export interface ServiceNode {
  service: string;
  rows: number;
  errors: number;
  selfUs: number;
  /** Microseconds on the critical path. */
  criticalUs: number;
}

export interface ServiceCall {
  parent: string;
  child: string;
  calls: number;
  errors: number;
  totalUs: number;
}

export interface ServiceMap {
  nodes: ServiceNode[];
  calls: ServiceCall[];
}

/** A call is a row whose parent row belongs to another service. Order of first appearance. */
export function serviceMap(layout: Layout): ServiceMap {
  const nodes = new Map<number, ServiceNode>();
  const calls = new Map<number, ServiceCall>();
  for (let row = 0; row < layout.rowCount; row++) {
    if (layout.flags[row]! & FLAG_VIRTUAL) continue;
    const service = layout.service[row]!;
    const error = layout.flags[row]! & FLAG_ERROR ? 1 : 0;
    const node = entry(nodes, service, () => ({
      service: layout.services[service]!,
      rows: 0,
      errors: 0,
      selfUs: 0,
      criticalUs: 0,
    }));
    node.rows++;
    node.errors += error;
    node.selfUs += layout.self[row]! || 0;
    node.criticalUs += layout.critical.share[row]!;
    const parent = layout.parent[row]!;
    if (parent < 0 || layout.flags[parent]! & FLAG_VIRTUAL || layout.service[parent] === service) continue;
    const from = layout.service[parent]!;
    const call = entry(calls, from * layout.services.length + service, () => ({
      parent: layout.services[from]!,
      child: layout.services[service]!,
      calls: 0,
      errors: 0,
      totalUs: 0,
    }));
    call.calls++;
    call.errors += error;
    call.totalUs += layout.duration[row]! || 0;
  }
  return { nodes: [...nodes.values()], calls: [...calls.values()] };
}

function entry<V>(map: Map<number, V>, key: number, make: () => V): V {
  let value = map.get(key);
  if (!value) {
    value = make();
    map.set(key, value);
  }
  return value;
}
