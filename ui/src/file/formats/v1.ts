import type { JsonEndpoint, JsonSpan } from '../../model/types';
import { endpoint } from './v2';
import { FormatError, list, members, micros, neededId, newTags, parentOf, text } from './values';

/** A v2 span that is still being filled. */
interface Draft {
  kind?: NonNullable<JsonSpan['kind']>;
  shared?: boolean;
  timestamp?: number | undefined;
  duration?: number | undefined;
  localEndpoint?: JsonEndpoint | undefined;
  remoteEndpoint?: JsonEndpoint | undefined;
  annotations: { timestamp: number; value: string }[];
  tags: Record<string, string>;
}

interface V1Annotation {
  readonly timestamp: number;
  readonly value: string;
  readonly endpoint: JsonEndpoint | undefined;
}

const kindOf: Readonly<Record<string, NonNullable<JsonSpan['kind']>>> = {
  cs: 'CLIENT',
  cr: 'CLIENT',
  sr: 'SERVER',
  ss: 'SERVER',
  ms: 'PRODUCER',
  mr: 'CONSUMER',
};
const coreValues = new Set([...Object.keys(kindOf), 'ws', 'wr']);
const addressKeys = new Set(['sa', 'ca', 'ma']);

/** Whether a list of spans is in the v1 form: endpoints stand at annotations there. */
export function looksLikeV1(spans: readonly unknown[]): boolean {
  return spans.some((span) => {
    if (typeof span !== 'object' || span === null) return false;
    const { annotations, binaryAnnotations } = span as Record<string, unknown>;
    return (
      Array.isArray(binaryAnnotations) ||
      (Array.isArray(annotations) &&
        annotations.some((one) => one !== null && typeof one === 'object' && 'endpoint' in one))
    );
  });
}

/** The v2 spans that one v1 span stands for: one per service that took part, with the client first. */
export function v1Spans(value: unknown, where: string): JsonSpan[] {
  const span = members(value, where);
  const id = neededId(span.id, 16, `${where}: id`);
  const parentId = parentOf(span.parentId, id, `${where}: parentId`);
  const name = text(span.name);
  const source = {
    timestamp: micros(span.timestamp, `${where}: timestamp`),
    duration: micros(span.duration, `${where}: duration`),
  };
  const drafts = new Drafts();
  const core = readAnnotations(span.annotations, drafts, where);
  placeTimes(core, drafts, source);
  readBinary(span.binaryAnnotations, drafts, core, where);
  const traceId = neededId(span.traceId, 32, `${where}: traceId`);
  return drafts.all.map(({ annotations, tags, ...draft }) => {
    const made = {
      traceId,
      id,
      ...(parentId !== undefined && { parentId }),
      ...(name !== undefined && { name }),
      ...draft,
      ...(annotations.length > 0 && { annotations }),
      ...(Object.keys(tags).length > 0 && { tags }),
      ...(span.debug === true && { debug: true }),
    };
    return Object.fromEntries(Object.entries(made).filter(([, member]) => member !== undefined)) as unknown as JsonSpan;
  });
}

/** The spans of one v1 span: each belongs to one service. */
class Drafts {
  readonly all: Draft[] = [{ annotations: [], tags: newTags() }];

  first(): Draft {
    return this.all[0] as Draft;
  }

  /** The span of an endpoint: the first without one takes it, else the one of the same service, else a new one. */
  of(local: JsonEndpoint | undefined): Draft {
    if (!local) return this.first();
    const found = this.all.find((one) => !one.localEndpoint || one.localEndpoint.serviceName === local.serviceName);
    if (found) {
      found.localEndpoint ??= local;
      return found;
    }
    return this.add({ localEndpoint: local, annotations: [], tags: newTags() });
  }

  /** Two halves of one service need two spans: their kinds differ. */
  ofKind(local: JsonEndpoint | undefined, kind: NonNullable<JsonSpan['kind']>): Draft {
    const same = this.all.find((one) => one.kind === kind && one.localEndpoint?.serviceName === local?.serviceName);
    if (same) return same;
    const found = this.of(local);
    if (found.kind === undefined || found.kind === kind) {
      found.kind = kind;
      return found;
    }
    return this.add({ kind, localEndpoint: local, annotations: [], tags: newTags() });
  }

  with(kind: NonNullable<JsonSpan['kind']>): Draft | undefined {
    return this.all.find((one) => one.kind === kind);
  }

  private add(draft: Draft): Draft {
    this.all.push(draft);
    return draft;
  }
}

function readAnnotations(value: unknown, drafts: Drafts, where: string): Map<string, V1Annotation> {
  const core = new Map<string, V1Annotation>();
  const all = list(value, `${where}: annotations`).map((one, index) => {
    const at = `${where}: annotation ${index + 1}`;
    const { timestamp, value: words, endpoint: host } = members(one, at);
    if (typeof words !== 'string') throw new FormatError('badValueless', { place: at });
    return { timestamp: micros(timestamp, `${at}: timestamp`) ?? 0, value: words, endpoint: endpoint(host, at) };
  });
  all.sort((a, b) => a.timestamp - b.timestamp || (a.value < b.value ? -1 : 1));
  for (const one of all) {
    const kind = one.endpoint && Object.hasOwn(kindOf, one.value) ? kindOf[one.value] : undefined;
    if (kind) drafts.ofKind(one.endpoint, kind);
    if (coreValues.has(one.value) && one.endpoint) core.set(one.value, one);
    else drafts.of(one.endpoint).annotations.push({ timestamp: one.timestamp, value: one.value });
  }
  return core;
}

type Source = { readonly timestamp: number | undefined; readonly duration: number | undefined };

function placeTimes(core: ReadonlyMap<string, V1Annotation>, drafts: Drafts, source: Source): void {
  const at = (name: string) => core.get(name)?.timestamp;
  const end =
    source.timestamp === undefined || source.duration === undefined ? undefined : source.timestamp + source.duration;
  const whole = end !== undefined;
  // A closing annotation at the span's end tells where the span began.
  const cs = at('cs') ?? (whole && at('cr') === end ? source.timestamp : undefined);
  const sr = at('sr') ?? (whole && at('ss') === end ? source.timestamp : undefined);
  const client = drafts.with('CLIENT');
  const server = drafts.with('SERVER');
  const halves = cs !== undefined && sr !== undefined;
  if (client) {
    const known = halves || (cs !== undefined && at('cr') !== undefined);
    Object.assign(client, known && whole ? source : between(cs, known ? at('cr') : undefined));
    if (!known) keep(client, core.get('cr'));
  }
  if (server) {
    const known = halves || (sr !== undefined && at('ss') !== undefined);
    Object.assign(server, known && whole && !halves ? source : between(sr, known ? at('ss') : undefined));
    if (!known) keep(server, core.get('ss'));
    // The id was made by another process: the client's half, here or elsewhere.
    const reported = source.timestamp !== undefined && (at('ss') === undefined || source.duration !== undefined);
    if (halves || (cs === undefined && sr !== undefined && !reported)) server.shared = true;
  }
  placeMessages(core, drafts);
  const first = drafts.first();
  if (!halves && source.timestamp !== undefined && first.duration === undefined) {
    first.timestamp = source.timestamp;
    first.duration = source.duration;
  }
  if (first.kind === undefined && source.timestamp === undefined) first.duration = source.duration;
}

function placeMessages(core: ReadonlyMap<string, V1Annotation>, drafts: Drafts): void {
  const at = (name: string) => core.get(name)?.timestamp;
  const producer = drafts.with('PRODUCER');
  const consumer = drafts.with('CONSUMER');
  if (producer) Object.assign(producer, between(at('ms'), at('ws')));
  else keepAt(drafts, core.get('ws'));
  if (consumer) {
    Object.assign(consumer, at('wr') === undefined ? { timestamp: at('mr') } : between(at('wr'), at('mr')));
    if (producer) consumer.shared = true;
  } else keepAt(drafts, core.get('wr'));
}

/** A core annotation that gave no time stays as an annotation. */
function keep(draft: Draft, one: V1Annotation | undefined): void {
  if (one) draft.annotations.push({ timestamp: one.timestamp, value: one.value });
}

function keepAt(drafts: Drafts, one: V1Annotation | undefined): void {
  if (one) keep(drafts.of(one.endpoint), one);
}

function between(start: number | undefined, end: number | undefined): Source {
  return {
    timestamp: start,
    duration: start !== undefined && end !== undefined && end > start ? end - start : undefined,
  };
}

function readBinary(value: unknown, drafts: Drafts, core: ReadonlyMap<string, V1Annotation>, where: string): void {
  const addresses = new Map<string, JsonEndpoint>();
  for (const [index, one] of list(value, `${where}: binaryAnnotations`).entries()) {
    const at = `${where}: binaryAnnotation ${index + 1}`;
    const { key, value: content, endpoint: host } = members(one, at);
    if (typeof key !== 'string') throw new FormatError('badKeyless', { place: at });
    const peer = endpoint(host, at);
    if (addressKeys.has(key) && (content === true || typeof content === 'string') && peer) addresses.set(key, peer);
    else if (key === 'lc' && content === '') drafts.of(peer);
    else if (typeof content === 'string') drafts.of(peer).tags[key] = content;
  }
  const [sa, ca, ma] = ['sa', 'ca', 'ma'].map((key) => addresses.get(key));
  const first = drafts.first();
  if (!['cs', 'cr', 'sr', 'ss'].some((name) => core.has(name))) {
    if (ca && !sa && first.kind === undefined) Object.assign(first, { kind: 'SERVER', remoteEndpoint: ca });
    else if (sa) first.remoteEndpoint = sa;
    if (ca && sa) first.localEndpoint ??= ca;
  }
  const server = drafts.with('SERVER');
  const client = drafts.with('CLIENT');
  if (server && ca) server.remoteEndpoint = otherThan(ca, server.localEndpoint);
  if (client && sa) client.remoteEndpoint = sa;
  for (const kind of ['PRODUCER', 'CONSUMER'] as const) {
    const draft = drafts.with(kind);
    if (draft && ma) draft.remoteEndpoint = ma;
  }
}

/** The caller of a server; the name is left out where it is the server's own, as old libraries wrote it. */
function otherThan(remote: JsonEndpoint, local: JsonEndpoint | undefined): JsonEndpoint | undefined {
  if (remote.serviceName === undefined || remote.serviceName !== local?.serviceName) return remote;
  const { serviceName: _, ...rest } = remote;
  return Object.keys(rest).length > 0 ? rest : undefined;
}
