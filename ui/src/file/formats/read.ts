import type { JsonSpan } from '../../model/types';
import { jaegerSpans } from './jaeger';
import { otlpSpans } from './otlp';
import { looksLikeV1, v1Spans } from './v1';
import { v2Span } from './v2';
import { FormatError, list, members } from './values';

/** More spans than this are not taken from one file. */
export const fileSpansMax = 2_000_000;
/** Nested deeper than this is no trace file. */
const depthMax = 200;

/** The spans of a file, whatever it holds: v2 list, list of lists, v1, Jaeger, OTLP, or one of these a line. */
export function readSpans(content: string): JsonSpan[] {
  checkDepth(content);
  const spans = parseDocuments(content).flatMap((document, index, all) =>
    spansOf(document, all.length > 1 ? `line ${index + 1}` : ''),
  );
  if (spans.length === 0) throw new FormatError('badEmpty');
  if (spans.length > fileSpansMax) throw new FormatError('badTooMany', { number: fileSpansMax });
  return spans;
}

/** Spans by trace id, in the order in which the traces appear. A 64-bit id stands alone. */
export function groupByTrace(spans: readonly JsonSpan[]): JsonSpan[][] {
  const traces = new Map<string, JsonSpan[]>();
  for (const span of spans) {
    const known = traces.get(span.traceId);
    if (known) known.push(span);
    else traces.set(span.traceId, [span]);
  }
  return [...traces.values()];
}

function parseDocuments(content: string): unknown[] {
  try {
    return [JSON.parse(content)];
  } catch (error) {
    const lines = content.split('\n').filter((line) => line.trim() !== '');
    if (lines.length < 2)
      throw new FormatError('badJson', { detail: error instanceof Error ? error.message : String(error) });
    return lines.map((line, index) => {
      try {
        return JSON.parse(line);
      } catch {
        // The message about the whole file says more, unless the first line was good.
        if (index === 0)
          throw new FormatError('badJson', { detail: error instanceof Error ? error.message : String(error) });
        throw new FormatError('badLine', { number: index + 1 });
      }
    });
  }
}

function spansOf(document: unknown, place: string): JsonSpan[] {
  const at = (text: string) => (place === '' ? text : `${place}, ${text}`);
  if (Array.isArray(document)) return spansOfList(document, at);
  const content = members(document, at('{…}'));
  if (content.resourceSpans !== undefined) return otlpSpans(content, at('OTLP'));
  if (content.data !== undefined) {
    return list(content.data, at('data')).flatMap((trace, index) => jaegerSpans(trace, at(`trace ${index + 1}`)));
  }
  if (content.spans !== undefined) return jaegerSpans(content, at('trace'));
  if (content.traceId !== undefined && content.id !== undefined) return spansOfList([content], at);
  throw new FormatError('badForm', { place: at('{…}') });
}

function spansOfList(document: readonly unknown[], at: (text: string) => string): JsonSpan[] {
  if (document.length > 0 && document.every(Array.isArray)) {
    return document.flatMap((trace, index) => spansOfList(trace, (text) => at(`trace ${index + 1}, ${text}`)));
  }
  const [first] = document;
  if (typeof first === 'object' && first !== null && ('resourceSpans' in first || 'spans' in first)) {
    return document.flatMap((one, index) => spansOf(one, at(`element ${index + 1}`)));
  }
  const v1 = looksLikeV1(document);
  return document.flatMap((span, index) => {
    const where = at(`span ${index + 1}`);
    return v1 ? v1Spans(span, where) : [v2Span(span, where)];
  });
}

/** A parser would follow nested brackets down; a trace needs few levels. */
function checkDepth(content: string): void {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < content.length; i += 1) {
    const code = content.charCodeAt(i);
    if (inText) {
      if (code === 0x5c) i += 1;
      else if (code === 0x22) inText = false;
    } else if (code === 0x22) inText = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > depthMax) throw new FormatError('badDepth', { number: depthMax });
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
}
