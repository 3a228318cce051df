/** What the page and the trace worker say to each other: calls by number, each answered once, progress in between. */
import type { FailureKind, Progress } from '../api/client';
import type { Flame } from '../model/flame';
import type { Layout } from '../model/layout';
import type { ServiceMap } from '../model/serviceMap';
import type { Endpoint, SpanKind } from '../model/span';
import type { Stats, StatsBy } from '../model/stats';

/** A trace held by the worker. */
export type TraceHandle = number;

export interface OpenParams {
  /** Where to fetch it; absent when the bytes are given. */
  url?: string;
  /** A v2 list as JSON; transferred. */
  bytes?: Uint8Array<ArrayBuffer>;
  /** A longer answer is refused with a failure of kind `size`. */
  bytesMax: number;
}

export interface Opened {
  handle: TraceHandle;
  byteLength: number;
  layout: Layout;
}

/** Text cut to what a panel shows; `length` is that of the whole. */
export interface CutText {
  text: string;
  length: number;
}

export interface TagDetail extends CutText {
  key: string;
}

export interface AnnotationDetail extends CutText {
  /** Epoch microseconds as reported. */
  timestampUs: number;
}

/** One reported half of a row. */
export interface HalfDetail {
  /** Its number in the worker, for `value`. */
  span: number;
  id: string;
  parentId: string | undefined;
  kind: SpanKind | undefined;
  name: string;
  /** Epoch microseconds as reported; 0 when absent. */
  timestampUs: number;
  durationUs: number;
  /** What the correction of clock skew adds. */
  shiftUs: number;
  local: Endpoint | undefined;
  remote: Endpoint | undefined;
  tags: TagDetail[];
  annotations: AnnotationDetail[];
  /** Tags and annotations beyond the limits, not in the lists. */
  leftOut: number;
  shared: boolean;
  debug: boolean;
  /** How many reports were merged into it. */
  reports: number;
}

export interface TagKey {
  key: string;
  count: number;
}

/** A tag of all rows: number of the row's value in `values`, -1 where it has none. */
export interface TagColumn {
  codes: Int32Array;
  values: string[];
}

export type FlameMode = 'time' | 'rawTime' | 'path';

/** All calls but `open` name the trace and how its halves are shown. */
export interface OnTrace {
  handle: TraceHandle;
  split: boolean;
}

export interface Calls {
  open: { params: OpenParams; result: Opened };
  close: { params: { handle: TraceHandle }; result: null };
  layOut: { params: OnTrace; result: Layout };
  detail: { params: OnTrace & { row: number }; result: HalfDetail[] };
  /** The whole text of a tag. */
  value: { params: OnTrace & { span: number; key: string }; result: string };
  find: { params: OnTrace & { query: string }; result: Int32Array };
  stats: { params: OnTrace & { by: StatsBy }; result: Stats };
  tagKeys: { params: OnTrace; result: TagKey[] };
  tagColumn: { params: OnTrace & { key: string }; result: TagColumn };
  flame: { params: OnTrace & { mode: FlameMode }; result: Flame };
  map: { params: OnTrace; result: ServiceMap };
  jsonLines: { params: OnTrace & { from: number; to: number }; result: { lines: string[]; lineCount: number } };
  /** First line and length of the JSON of a row's span. */
  jsonLineOf: { params: OnTrace & { row: number }; result: number };
  /** The trace as JSON: as received, with times corrected, or marked as archived. */
  json: { params: OnTrace & { form: 'raw' | 'corrected' | 'archived' }; result: Uint8Array<ArrayBuffer> };
}

export type Method = keyof Calls;

export type ToWorker =
  | { [M in Method]: { id: number; method: M; params: Calls[M]['params'] } }[Method]
  | { id: number; method: 'cancel' };

export interface Failure {
  kind: FailureKind | 'bug';
  url: string;
  status: number;
  reason: string;
}

export type FromWorker =
  | { id: number; result: unknown }
  | { id: number; failure: Failure }
  | { id: number; progress: Progress };
