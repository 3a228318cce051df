import { Download } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { PlainText } from '../widgets/PlainText';
import { saveJson } from './download';
import styles from './JsonView.module.css';
import { useCall } from './useCall';
import { useRowHeight } from './useRowHeight';
import type { TraceView } from './useTraceView';
import { useWindow } from './useWindow';
import { ViewBar, ViewFrame } from './ViewBar';

/** Lines are asked for in pieces of this many. */
const PIECE = 200;
/** Pieces kept: what is scrolled away far enough is asked for again. */
const PIECES_MAX = 40;

/** The spans as received, as JSON of any length. */
export default function JsonView({ view }: { readonly view: TraceView }) {
  const { trace, layout } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const scroller = useRef<HTMLElement>(null);
  const lineHeight = Math.round(useRowHeight() * 0.8);
  const [lineCount, setLineCount] = useState(0);
  const { window, reveal } = useWindow(lineCount, lineHeight, scroller);
  const { pieces, ask } = usePieces(view, setLineCount);
  const { value: selectedLine } = useCall(
    trace,
    'jsonLineOf',
    layout.split,
    view.selected < 0 ? undefined : { row: view.selected },
  );
  const from = Math.floor(window.first / PIECE);
  const to = Math.max(from, Math.floor((window.end - 1) / PIECE));
  useEffect(() => {
    for (let piece = from; piece <= to; piece++) ask(piece);
  }, [from, to, ask]);
  useLayoutEffect(() => {
    if (selectedLine !== undefined && lineCount > 0) reveal(selectedLine, 4);
  }, [selectedLine, lineCount, reveal]);
  const save = async () => saveJson(await trace.call('json', layout.split, { form: 'raw' }), `${layout.traceId}.json`);
  const shown = Array.from({ length: Math.max(0, window.end - window.first) }, (_, i) => window.first + i);
  const digits = String(lineCount).length;
  return (
    <ViewFrame>
      <ViewBar text={t('jsonLines', { count: lineCount, size: format.bytes(trace.byteLength) })}>
        <button type="button" className="button small" onClick={save}>
          <Download aria-hidden="true" />
          {t('downloadJson')}
        </button>
      </ViewBar>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <section ref={scroller} className={styles.scroller} aria-label={t('viewJson')} tabIndex={0} data-ready="">
        <div className={styles.lines} style={{ height: window.height }}>
          {shown.map((line) => (
            <div
              key={line}
              className={line === selectedLine ? `${styles.line} ${styles.selected}` : styles.line}
              style={{ top: window.topOf(line), height: lineHeight, lineHeight: `${lineHeight}px` }}
            >
              <span className={styles.number} style={{ width: `${digits + 1}ch` }} aria-hidden="true">
                {line + 1}
              </span>
              <Line text={pieces.get(Math.floor(line / PIECE))?.[line % PIECE] ?? ''} />
            </div>
          ))}
        </div>
      </section>
    </ViewFrame>
  );
}

/** One line: a key apart from its value. */
function Line({ text }: { text: string }) {
  const match = /^(\s*)("(?:[^"\\]|\\.)*")(: )(.*)$/s.exec(text);
  if (!match) return <PlainText text={text} />;
  return (
    <>
      {match[1]}
      <span className={styles.key}>
        <PlainText text={match[2]!} />
      </span>
      {match[3]}
      <span className={match[4]!.startsWith('"') ? styles.text : styles.value}>
        <PlainText text={match[4]!} />
      </span>
    </>
  );
}

function usePieces({ trace, layout }: TraceView, onCount: (count: number) => void) {
  const [pieces, setPieces] = useState<ReadonlyMap<number, readonly string[]>>(new Map());
  const asked = useRef(new Set<number>());
  const latest = useRef(pieces);
  latest.current = pieces;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another trace has other lines
  useEffect(() => {
    asked.current.clear();
    setPieces(new Map());
  }, [trace]);
  const [ask] = useState(() => (piece: number) => {
    if (latest.current.has(piece) || asked.current.has(piece)) return;
    asked.current.add(piece);
    trace.call('jsonLines', layout.split, { from: piece * PIECE, to: (piece + 1) * PIECE }).then(
      ({ lines, lineCount }) => {
        asked.current.delete(piece);
        onCount(lineCount);
        setPieces((last) => new Map([...last, [piece, lines] as const].slice(-PIECES_MAX)));
      },
      () => asked.current.delete(piece),
    );
  });
  return { pieces, ask };
}
