import type { JsonEndpoint, JsonSpan } from '../../model/types';
import { attributeText } from './otlp';
import { FormatError, list, type Members, members, micros, neededId, newTags, parentOf, text } from './values';

const kindOf: Readonly<Record<string, NonNullable<JsonSpan['kind']>>> = {
  client: 'CLIENT',
  server: 'SERVER',
  producer: 'PRODUCER',
  consumer: 'CONSUMER',
};

/** The spans of a trace as Jaeger's UI and API write it: `{traceID, spans, processes}`. */
export function jaegerSpans(value: unknown, where: string): JsonSpan[] {
  const trace = members(value, where);
  const processes = new Map(
    Object.entries(trace.processes === undefined ? {} : members(trace.processes, `${where}: processes`)),
  );
  return list(trace.spans, `${where}: spans`).map((span, index) => {
    const at = `${where}, span ${index + 1}`;
    const read = members(span, at);
    const process = read.process ?? processes.get(String(read.processID));
    return jaegerSpan(read, process === undefined ? {} : members(process, `${at}: process`), at);
  });
}

function jaegerSpan(span: Members, process: Members, where: string): JsonSpan {
  const id = neededId(span.spanID, 16, `${where}: spanID`);
  const parentId = parentOf(parentReference(span, where) ?? span.parentSpanID, id, `${where}: parent`);
  const tags = readTags(span.tags, `${where}: tags`);
  const kind = kindOf[tags['span.kind'] ?? ''];
  delete tags['span.kind'];
  // Jaeger writes `error=false` where zipkin writes nothing.
  if (tags.error === 'false') delete tags.error;
  const name = text(span.operationName);
  const timestamp = micros(span.startTime, `${where}: startTime`);
  const duration = micros(span.duration, `${where}: duration`);
  const remote = text(tags['peer.service']);
  const annotations = list(span.logs, `${where}: logs`).map((log, index) => logText(log, `${where}: log ${index + 1}`));
  return {
    traceId: neededId(span.traceID, 32, `${where}: traceID`),
    id,
    ...(parentId !== undefined && { parentId }),
    ...(kind && { kind }),
    ...(name !== undefined && { name }),
    ...(timestamp !== undefined && { timestamp }),
    ...(duration !== undefined && { duration }),
    localEndpoint: processEndpoint(process, where),
    ...(remote !== undefined && { remoteEndpoint: { serviceName: remote } }),
    ...(annotations.length > 0 && { annotations }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

function parentReference(span: Members, where: string): unknown {
  const references = list(span.references, `${where}: references`).map((one) => members(one, `${where}: reference`));
  const parent = references.find(({ refType }) => refType === 'CHILD_OF') ?? references[0];
  // A reference into another trace is a link, not a parent.
  return parent && (parent.traceID === undefined || parent.traceID === span.traceID) ? parent.spanID : undefined;
}

function processEndpoint(process: Members, where: string): JsonEndpoint {
  const tags = readTags(process.tags, `${where}: process tags`);
  const serviceName = text(process.serviceName);
  return {
    ...(serviceName !== undefined && { serviceName: serviceName.toLowerCase() }),
    ...(tags.ip !== undefined && /^\d+\.\d+\.\d+\.\d+$/.test(tags.ip) && { ipv4: tags.ip }),
  };
}

function readTags(value: unknown, where: string): Record<string, string> {
  const tags = newTags();
  for (const one of list(value, where)) {
    const { key, value: content } = members(one, where);
    if (typeof key !== 'string') throw new FormatError('badKeyless', { place: where });
    tags[key] = attributeText(content);
  }
  return tags;
}

function logText(value: unknown, where: string): { timestamp: number; value: string } {
  const log = members(value, where);
  const fields = readTags(log.fields, where);
  const { event, ...others } = fields;
  const only = event !== undefined && Object.keys(others).length === 0;
  return { timestamp: micros(log.timestamp, where) ?? 0, value: only ? event : JSON.stringify(fields) };
}
