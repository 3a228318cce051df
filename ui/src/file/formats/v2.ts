import type { JsonEndpoint, JsonSpan } from '../../model/types';
import { FormatError, list, members, micros, neededId, newTags, parentOf, text } from './values';

const kinds = new Set(['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER']);

/** A span of zipkin's v2 JSON, checked. */
export function v2Span(value: unknown, where: string): JsonSpan {
  const span = members(value, where);
  const id = neededId(span.id, 16, `${where}: id`);
  const parentId = parentOf(span.parentId, id, `${where}: parentId`);
  const { kind } = span;
  if (kind !== undefined && kind !== null && !(typeof kind === 'string' && kinds.has(kind))) {
    throw new FormatError('badKind', { place: where });
  }
  const name = text(span.name);
  const timestamp = micros(span.timestamp, `${where}: timestamp`);
  const duration = micros(span.duration, `${where}: duration`);
  const localEndpoint = endpoint(span.localEndpoint, `${where}: localEndpoint`);
  const remoteEndpoint = endpoint(span.remoteEndpoint, `${where}: remoteEndpoint`);
  const annotations = list(span.annotations, `${where}: annotations`).map((one, index) =>
    annotation(one, `${where}: annotation ${index + 1}`),
  );
  const tags = readTags(span.tags, `${where}: tags`);
  return {
    traceId: neededId(span.traceId, 32, `${where}: traceId`),
    id,
    ...(parentId !== undefined && { parentId }),
    ...(kind && { kind: kind as NonNullable<JsonSpan['kind']> }),
    ...(name !== undefined && { name }),
    ...(timestamp !== undefined && { timestamp }),
    ...(duration !== undefined && { duration }),
    ...(localEndpoint && { localEndpoint }),
    ...(remoteEndpoint && { remoteEndpoint }),
    ...(annotations.length > 0 && { annotations }),
    ...(tags && { tags }),
    ...(span.debug === true && { debug: true }),
    ...(span.shared === true && { shared: true }),
  };
}

/** Service and addresses; nothing known is no endpoint. */
export function endpoint(value: unknown, where: string): JsonEndpoint | undefined {
  if (value === undefined || value === null) return undefined;
  const { serviceName, ipv4, ipv6, port } = members(value, where);
  const found: JsonEndpoint = {
    ...(text(serviceName) !== undefined && { serviceName: text(serviceName) as string }),
    ...(text(ipv4) !== undefined && { ipv4: text(ipv4) as string }),
    ...(text(ipv6) !== undefined && { ipv6: text(ipv6) as string }),
    ...(typeof port === 'number' && port > 0 && { port }),
  };
  return Object.keys(found).length > 0 ? found : undefined;
}

function annotation(value: unknown, where: string): { timestamp: number; value: string } {
  const { timestamp, value: words } = members(value, where);
  if (typeof words !== 'string') throw new FormatError('badValueless', { place: where });
  return { timestamp: micros(timestamp, `${where}: timestamp`) ?? 0, value: words };
}

function readTags(value: unknown, where: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  const tags = newTags();
  for (const [key, one] of Object.entries(members(value, where))) {
    if (typeof one !== 'string' && typeof one !== 'number' && typeof one !== 'boolean') {
      throw new FormatError('badText', { place: `${where}: "${key}"` });
    }
    tags[key] = String(one);
  }
  return Object.keys(tags).length > 0 ? tags : undefined;
}
