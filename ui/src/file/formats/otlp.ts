import type { JsonEndpoint, JsonSpan } from '../../model/types';
import { FormatError, list, type Members, members, neededId, newTags, parentOf, text } from './values';

const kinds = [undefined, undefined, 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;
const kindNames = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
];
const statusNames = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];
/** Attributes that name the other side, the best first, as OpenTelemetry's mapping to zipkin has them. */
const remoteKeys = ['peer.service', 'server.address', 'net.peer.name', 'network.peer.address', 'db.name'];
/** Attribute values nest; deeper ones become text. */
const depthMax = 16;

/** The spans of OTLP JSON (`{resourceSpans: […]}`), mapped as OpenTelemetry maps to zipkin. */
export function otlpSpans(value: unknown, where: string): JsonSpan[] {
  const found: JsonSpan[] = [];
  for (const [r, one] of list(members(value, where).resourceSpans, `${where}: resourceSpans`).entries()) {
    const at = `${where}, resource ${r + 1}`;
    const resourceSpans = members(one, at);
    const resource = attributes(
      resourceSpans.resource === undefined ? [] : members(resourceSpans.resource, at).attributes,
      at,
    );
    const scopes = resourceSpans.scopeSpans ?? resourceSpans.instrumentationLibrarySpans;
    for (const scope of list(scopes, `${at}: scopeSpans`)) {
      const { spans, scope: library } = members(scope, `${at}: scope`);
      const name = library === undefined || library === null ? undefined : text(members(library, at).name);
      for (const [s, span] of list(spans, `${at}: spans`).entries()) {
        found.push(otlpSpan(members(span, `${at}, span ${s + 1}`), resource, name, `${at}, span ${s + 1}`));
      }
    }
  }
  return found;
}

function otlpSpan(span: Members, resource: Record<string, string>, scope: string | undefined, where: string): JsonSpan {
  const id = neededId(span.spanId, 16, `${where}: spanId`);
  const parentId = parentOf(span.parentSpanId, id, `${where}: parentSpanId`);
  const start = nanos(span.startTimeUnixNano, `${where}: startTimeUnixNano`);
  const end = nanos(span.endTimeUnixNano, `${where}: endTimeUnixNano`);
  const kindNumber = typeof span.kind === 'string' ? kindNames.indexOf(span.kind) : Number(span.kind ?? 0);
  const kind = kinds[kindNumber];
  const own = attributes(span.attributes, `${where}: attributes`);
  const { 'service.name': service, ...rest } = resource;
  const tags = Object.assign(newTags(), rest, own);
  if (scope !== undefined) tags['otel.scope.name'] = scope;
  readStatus(span.status, tags, where);
  const remote = remoteKeys.map((key) => own[key]).find((one) => one !== undefined && one !== '');
  const name = text(span.name);
  const annotations = list(span.events, `${where}: events`).map((event, index) =>
    eventText(event, `${where}: event ${index + 1}`),
  );
  const localEndpoint: JsonEndpoint | undefined =
    service === undefined ? undefined : { serviceName: service.toLowerCase() };
  return {
    traceId: neededId(span.traceId, 32, `${where}: traceId`),
    id,
    ...(parentId !== undefined && { parentId }),
    ...(kind && { kind }),
    ...(name !== undefined && { name }),
    ...(start > 0 && { timestamp: start }),
    ...(start > 0 && end >= start && { duration: Math.max(1, end - start) }),
    ...(localEndpoint && { localEndpoint }),
    ...(remote !== undefined &&
      kind !== undefined &&
      kind !== 'SERVER' && { remoteEndpoint: { serviceName: remote.toLowerCase() } }),
    ...(annotations.length > 0 && { annotations }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

function readStatus(value: unknown, tags: Record<string, string>, where: string): void {
  if (value === undefined || value === null) return;
  const { code, message } = members(value, `${where}: status`);
  const number = typeof code === 'string' ? statusNames.indexOf(code) : Number(code ?? 0);
  if (number === 1) tags['otel.status_code'] = 'OK';
  if (number !== 2) return;
  tags['otel.status_code'] = 'ERROR';
  tags.error = text(message) ?? tags.error ?? '';
}

/** Microseconds of a number of nanoseconds, which stands as text because it is beyond 2^53. */
function nanos(value: unknown, where: string): number {
  if (value === undefined || value === null || value === '') return 0;
  const digits = String(value);
  if (!/^\d{1,20}$/.test(digits)) throw new FormatError('badNumber', { place: where });
  return Number(digits.slice(0, -3) || '0');
}

function attributes(value: unknown, where: string): Record<string, string> {
  const found = newTags();
  for (const one of list(value, where)) {
    const { key, value: content } = members(one, where);
    if (typeof key === 'string') found[key] = attributeText(anyValue(content, 0));
  }
  return found;
}

/** The plain value in OTLP's wrapping: `{stringValue: "a"}`. */
function anyValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > depthMax) return value;
  const content = value as Members;
  for (const key of ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'bytesValue']) {
    if (content[key] !== undefined) return content[key];
  }
  const values = (one: unknown) => (one as Members | undefined)?.values;
  if (content.arrayValue !== undefined) {
    return list(values(content.arrayValue), 'arrayValue').map((one) => anyValue(one, depth + 1));
  }
  if (content.kvlistValue !== undefined) {
    const pairs = list(values(content.kvlistValue), 'kvlistValue').map((one) => members(one, 'kvlistValue'));
    return Object.fromEntries(pairs.map((pair) => [String(pair.key), anyValue(pair.value, depth + 1)]));
  }
  return '';
}

/** A value as the text of a tag. */
export function attributeText(value: unknown): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'object' && value !== null
      ? JSON.stringify(value)
      : String(value ?? '');
}

function eventText(value: unknown, where: string): { timestamp: number; value: string } {
  const event = members(value, where);
  const own = attributes(event.attributes, where);
  const name = text(event.name) ?? '';
  const value_ = Object.keys(own).length === 0 ? name : `"${name}": ${JSON.stringify(own)}`;
  return { timestamp: nanos(event.timeUnixNano, where), value: value_ };
}
