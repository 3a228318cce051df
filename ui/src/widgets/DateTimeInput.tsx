import { useState } from 'react';

/** The browser's own date and time input, in the local zone or in UTC. */
export function DateTimeInput(props: {
  readonly label: string;
  readonly valueMs: number;
  readonly utc: boolean;
  readonly onChange: (valueMs: number) => void;
}) {
  const shown = toInput(props.valueMs, props.utc);
  // While it is typed the text may be no time; the owner hears only of times.
  const [text, setText] = useState(shown);
  const [last, setLast] = useState(shown);
  if (shown !== last) {
    setLast(shown);
    setText(shown);
  }
  return (
    <input
      type="datetime-local"
      className="field"
      step={1}
      aria-label={props.label}
      value={text}
      onChange={({ target }) => {
        setText(target.value);
        const valueMs = fromInput(target.value, props.utc);
        if (valueMs !== undefined) props.onChange(valueMs);
      }}
    />
  );
}

/** `2026-11-21T02:27:04`, as the input wants it. */
export function toInput(ms: number, utc: boolean): string {
  const offsetMs = utc ? 0 : new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 19);
}

export function fromInput(text: string, utc: boolean): number | undefined {
  if (!/^\d{4,6}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?$/.test(text)) return undefined;
  const ms = Date.parse(utc ? `${text}Z` : text);
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
