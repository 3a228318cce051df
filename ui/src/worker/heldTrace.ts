/** A trace in the worker: the spans with all their facts, and what was made of them so far. */
import { type LaidOut, layOut, readTrace, type Trace } from '../model/build';
import { type CleanSpan, normaliseSpanId } from '../model/clean';
import { findRows } from '../model/find';
import { FindIndex } from '../model/findIndex';
import { type Flame, flameByPath, flameByTime } from '../model/flame';
import { JsonLines } from '../model/jsonLines';
import { NO_SPAN } from '../model/rows';
import { serviceMap } from '../model/serviceMap';
import type { Span } from '../model/span';
import { type Stats, type StatsBy, statistics, tagKeys, tagOf } from '../model/stats';
import type { CutText, FlameMode, HalfDetail, TagColumn, TagKey } from './protocol';

/** Text longer than this is cut in the panel, which offers the whole. */
export const TEXT_SHOWN_MAX = 2_048;
/** Tags, and annotations, that the panel shows of one half. */
export const FACTS_SHOWN_MAX = 1_000;

export class HeldTrace {
  private readonly trace: Trace;
  private readonly layouts = new Map<boolean, LaidOut>();
  private index: FindIndex | undefined;
  private printed: JsonLines | undefined;

  constructor(
    spans: readonly Span[],
    /** As received, for the download. */
    private readonly bytes: Uint8Array<ArrayBuffer>,
  ) {
    this.trace = readTrace(spans);
  }

  layOut(split: boolean): LaidOut {
    let laidOut = this.layouts.get(split);
    if (!laidOut) {
      laidOut = layOut(this.trace, split);
      this.layouts.set(split, laidOut);
    }
    return laidOut;
  }

  detail(split: boolean, row: number): HalfDetail[] {
    const { rows } = this.layOut(split);
    return [rows.main[row], rows.inner[row]]
      .filter((half): half is number => half !== undefined && half !== NO_SPAN)
      .map((half) => halfDetail(this.trace.spans[half]!, half, this.trace.skew.shift[half]!));
  }

  value(span: number, key: string): string {
    const tags = this.trace.spans[span]?.tags;
    return tags && Object.hasOwn(tags, key) ? String(tags[key]) : '';
  }

  find(split: boolean, query: string): Int32Array {
    this.index ??= new FindIndex(this.trace.spans);
    const { rows, layout } = this.layOut(split);
    return findRows(query, this.index, rows, layout);
  }

  stats(split: boolean, by: StatsBy): Stats {
    const { rows, layout } = this.layOut(split);
    return statistics(by, this.trace.spans, rows, layout);
  }

  tagKeys(): TagKey[] {
    return tagKeys(this.trace.spans);
  }

  tagColumn(split: boolean, key: string): TagColumn {
    const { rows } = this.layOut(split);
    const codes = new Int32Array(rows.count).fill(-1);
    const values = new Map<string, number>();
    for (let row = 0; row < rows.count; row++) {
      const value = tagOf(key, row, this.trace.spans, rows);
      if (value === undefined) continue;
      const text = cutText(value).text;
      if (!values.has(text)) values.set(text, values.size);
      codes[row] = values.get(text)!;
    }
    return { codes, values: [...values.keys()] };
  }

  flame(split: boolean, mode: FlameMode): Flame {
    const { layout } = this.layOut(split);
    if (mode === 'path') return flameByPath(layout);
    return flameByTime(layout, mode === 'time' ? layout.times : layout.rawTimes);
  }

  map(split: boolean) {
    return serviceMap(this.layOut(split).layout);
  }

  private get lines(): JsonLines {
    this.printed ??= new JsonLines(this.trace.received);
    return this.printed;
  }

  jsonLines(from: number, to: number): { lines: string[]; lineCount: number } {
    return { lines: this.lines.lines(from, to), lineCount: this.lines.lineCount };
  }

  jsonLineOf(split: boolean, row: number): number {
    const span = this.trace.spans[this.layOut(split).rows.main[row] ?? NO_SPAN];
    return span ? this.lines.lineOf(span.source) : 0;
  }

  json(form: 'raw' | 'corrected' | 'archived'): Uint8Array<ArrayBuffer> {
    if (form === 'raw') return this.bytes;
    const spans = form === 'corrected' ? this.corrected() : this.archived();
    return new TextEncoder().encode(JSON.stringify(spans));
  }

  private corrected(): Span[] {
    const shiftOf = new Float64Array(this.trace.received.length);
    this.trace.spans.forEach((span, i) => {
      for (const source of [span.source, ...(span.merged ?? [])]) shiftOf[source] = this.trace.skew.shift[i]!;
    });
    return this.trace.received.map((span, i) => {
      const shift = Math.round(shiftOf[i]!);
      if (shift === 0) return span;
      return {
        ...span,
        ...(span.timestamp && { timestamp: span.timestamp + shift }),
        ...(span.annotations && {
          annotations: span.annotations.map((one) => ({ ...one, timestamp: one.timestamp + shift })),
        }),
      };
    });
  }

  /** Zipkin's mark of an archived trace, on the root or what stands for it. */
  private archived(): Span[] {
    const { tree, spans, received } = this.trace;
    const top = spans[tree.root >= 0 ? tree.root : (tree.tops[0] ?? 0)];
    const marked = top ? top.source : 0;
    return received.map((span, i) => {
      if (i !== marked) return span;
      const tags = Object.assign(Object.create(null), span.tags, { 'zipkin.archived': 'true' }) as Record<
        string,
        string
      >;
      return { ...span, tags };
    });
  }
}

function halfDetail(span: CleanSpan, index: number, shiftUs: number): HalfDetail {
  const keys = Object.keys(span.tags).sort();
  return {
    span: index,
    id: normaliseSpanId(span.id),
    parentId: span.parentId,
    kind: span.kind,
    name: span.name,
    timestampUs: span.timestamp,
    durationUs: span.duration,
    shiftUs,
    local: span.local,
    remote: span.remote,
    tags: keys.slice(0, FACTS_SHOWN_MAX).map((key) => ({ key, ...cutText(String(span.tags[key])) })),
    annotations: span.annotations
      .slice(0, FACTS_SHOWN_MAX)
      .map((one) => ({ timestampUs: one.timestamp, ...cutText(one.value) })),
    leftOut: Math.max(0, keys.length - FACTS_SHOWN_MAX) + Math.max(0, span.annotations.length - FACTS_SHOWN_MAX),
    shared: span.shared,
    debug: span.debug,
    reports: 1 + (span.merged?.length ?? 0),
  };
}

/** Cut so that no character is torn. */
export function cutText(text: string): CutText {
  if (text.length <= TEXT_SHOWN_MAX) return { text, length: text.length };
  const last = text.charCodeAt(TEXT_SHOWN_MAX - 1);
  const end = last >= 0xd800 && last < 0xdc00 ? TEXT_SHOWN_MAX - 1 : TEXT_SHOWN_MAX;
  return { text: text.slice(0, end), length: text.length };
}
