import { summarise, type TraceSummary } from '../search/summary';
import { groupByTrace, readSpans } from './formats/read';
import { FormatError, type FormatProblem, type ProblemFacts } from './formats/values';
import { inflate } from './inflate';

export interface OpenedTrace {
  readonly summary: TraceSummary;
  readonly json: Uint8Array<ArrayBuffer>;
}

/** Why a file could not be read, to be said in the reader's language. */
export interface OpenFailure {
  readonly problem: FormatProblem;
  readonly facts: ProblemFacts;
}

/** What a file held, or why it could not be read. */
export type OpenAnswer = { readonly traces: readonly OpenedTrace[] } | { readonly failure: OpenFailure };

/** Reads files away from the page, whatever they hold. */
self.addEventListener('message', async ({ data }: MessageEvent<File>) => {
  const answer = await read(data);
  const buffers = 'traces' in answer ? answer.traces.map(({ json }) => json.buffer) : [];
  self.postMessage(answer, { transfer: buffers });
});

async function read(file: File): Promise<OpenAnswer> {
  try {
    const content = new TextDecoder().decode(await inflate(file)).replace(/^\ufeff/, '');
    const encoder = new TextEncoder();
    const traces = groupByTrace(readSpans(content)).map((spans) => ({
      summary: summarise([spans])[0] as TraceSummary,
      json: encoder.encode(JSON.stringify(spans)),
    }));
    return { traces };
  } catch (error) {
    if (error instanceof FormatError) return { failure: { problem: error.problem, facts: error.facts } };
    return { failure: { problem: 'badOther', facts: { detail: String(error) } } };
  }
}
