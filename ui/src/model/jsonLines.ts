/** The spans as received, printed over lines that are made only when they are looked at. */
import type { Span } from './span';

/** A line longer than this is cut; the download has it whole. */
export const LINE_LENGTH_MAX = 2_000;

export class JsonLines {
  /** First line of each span; the last number is that of the closing bracket. */
  private readonly firstLine: Int32Array;

  constructor(private readonly spans: readonly Span[]) {
    this.firstLine = new Int32Array(spans.length + 1);
    this.firstLine[0] = 1;
    for (let i = 0; i < spans.length; i++) this.firstLine[i + 1] = this.firstLine[i]! + countLines(spans[i]!);
  }

  get lineCount(): number {
    return this.firstLine[this.spans.length]! + 1;
  }

  lineOf(span: number): number {
    return this.firstLine[span] ?? 0;
  }

  /** Lines `from` … `to - 1`. */
  lines(from: number, to: number): string[] {
    const result: string[] = [];
    const end = Math.min(to, this.lineCount);
    for (let line = Math.max(0, from); line < end; ) {
      const span = this.spanAt(line);
      if (span === undefined) {
        result.push(line === 0 ? '[' : ']');
        line++;
        continue;
      }
      const first = this.firstLine[span]!;
      const text = printed(this.spans[span]!, span < this.spans.length - 1).slice(line - first, end - first);
      for (const one of text) result.push(one.length > LINE_LENGTH_MAX ? `${one.slice(0, LINE_LENGTH_MAX)}…` : one);
      line += text.length;
    }
    return result;
  }

  private spanAt(line: number): number | undefined {
    if (line === 0 || line >= this.firstLine[this.spans.length]!) return undefined;
    let low = 0;
    let high = this.spans.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firstLine[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function printed(span: Span, comma: boolean): string[] {
  const lines = JSON.stringify(span, null, 2).split('\n');
  if (comma) lines[lines.length - 1] += ',';
  return lines.map((line) => `  ${line}`);
}

interface Open {
  values: unknown[];
  next: number;
}

/** Lines that `JSON.stringify(value, null, 2)` would give, without making them and without recursion. */
export function countLines(value: unknown): number {
  let lines = 1;
  const stack: Open[] = [];
  const open = (container: unknown) => {
    if (typeof container !== 'object' || container === null) return;
    const values = Array.isArray(container) ? container : Object.values(container);
    if (values.length > 0) {
      lines += values.length + 1;
      stack.push({ values, next: 0 });
    }
  };
  open(value);
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next === top.values.length) stack.pop();
    else open(top.values[top.next++]);
  }
  return lines;
}
