import type { TFunction } from 'i18next';
import { CircleAlert, TriangleAlert, Unlink } from 'lucide-react';
import { type CSSProperties, memo, type ReactNode, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Format } from '../i18n/format';
import {
  FLAG_ASYNC,
  FLAG_CYCLE,
  FLAG_ERROR,
  FLAG_EXTRA_ROOT,
  FLAG_ORPHAN,
  FLAG_VIRTUAL,
  FLAG_WARNING,
  type Layout,
  type Times,
} from '../model/layout';
import { percentOf } from './axis';
import { looksOf } from './look';
import { Marked } from './Marked';
import styles from './Timeline.module.css';
import type { Zoom } from './useTraceView';

/** Rows are many and short-lived: what each would look up is handed to it. */
export interface RowTexts {
  readonly t: TFunction<'trace'>;
  /** What stands before and after a time in "starts at …": looked up once, not for each row. */
  readonly starts: readonly [string, string];
}

export function useRowTexts(): RowTexts {
  const { t } = useTranslation('trace');
  return useMemo(() => {
    const [before = '', after = ''] = t('spokenStart', { time: '\n' }).split('\n');
    return { t, starts: [before, after] };
  }, [t]);
}

export interface RowProps {
  readonly texts: RowTexts;
  readonly layout: Layout;
  readonly times: Times;
  readonly zoom: Zoom;
  readonly row: number;
  /** Place among the shown rows, from 0. */
  readonly place: number;
  readonly closed: boolean;
  /** Deeper levels are not indented further: a number says the depth. */
  readonly levelsMax: number;
  readonly indentPx: number;
  readonly selected: boolean;
  readonly tabbable: boolean;
  readonly dimmed: boolean;
  readonly words: readonly string[] | undefined;
  /** Whether there is nothing but names, which surely fit into their column. */
  readonly plain: boolean;
  readonly criticalPath: boolean;
  readonly format: Format;
  readonly id: string;
}

/** Its parts are plain functions where a part has no state: as components they took a quarter of its time. */
export const Row = memo(function Row(props: RowProps) {
  const { layout, row, closed, selected, plain, texts } = props;
  const flags = layout.flags[row]!;
  const below = layout.size[row]! - 1;
  // The look stands on what shows it: on the row it would make each of its parts a style of its own.
  const look = looksOf(layout)[layout.service[row]!]!;
  const depth = layout.depth[row]!;
  const state = `${selected ? ` ${styles.selected}` : ''}${props.dimmed ? ` ${styles.dimmed}` : ''}`;
  return (
    <div
      role="row"
      id={props.id}
      className={`${styles.row}${state}`}
      data-row={row}
      tabIndex={props.tabbable ? 0 : -1}
      aria-rowindex={props.place + 1}
      aria-level={depth + 1}
      aria-setsize={layout.setSize[row]}
      aria-posinset={layout.posInSet[row]}
      aria-expanded={below > 0 ? !closed : undefined}
      aria-selected={selected}
      aria-label={spoken(props)}
    >
      <div
        role="gridcell"
        className={plain ? `${styles.name} ${styles.plain}` : styles.name}
        style={indentation(Math.min(depth, props.levelsMax) * props.indentPx)}
      >
        {twisty(below > 0, closed)}
        {depth > props.levelsMax && <span className={styles.depth}>{depth}</span>}
        <span className={`${styles.code} ${look.className}`} aria-hidden="true">
          {look.code}
        </span>
        {names(props)}
        {hasBadges(layout, row, closed) && <Badges {...props} />}
      </div>
      <div role="gridcell" className={hasMarks(props) ? `${styles.lane} ${styles.marked}` : styles.lane}>
        {flags & FLAG_VIRTUAL ? null : bar(props, look.className)}
        {Number.isNaN(props.times.start[row]!) && !(flags & FLAG_VIRTUAL) && (
          <span className={styles.noTime}>{texts.t('noTime')}</span>
        )}
      </div>
    </div>
  );
});

/** Set on the cell itself: a custom property of the row would make every part of it a style of its own. */
function indentation(px: number): CSSProperties {
  return { paddingLeft: `calc(0.375rem + ${px}px)`, backgroundSize: `${px}px 100%` };
}

/** A leaf has one, too, that is not seen: it keeps the place free, and an element that comes to show another row fits. */
function twisty(opens: boolean, closed: boolean): ReactNode {
  if (!opens) return <span className={`${styles.twisty} ${styles.leaf}`} />;
  return <span className={closed ? styles.twisty : `${styles.twisty} ${styles.open}`} data-twisty="" />;
}

/** Whether something lies on the bar. */
function hasMarks({ layout, times, row, criticalPath }: RowProps): boolean {
  return criticalPath || !Number.isNaN(times.innerStart[row]!) || layout.tickStart[row]! < layout.tickStart[row + 1]!;
}

const UNLINKED = FLAG_ORPHAN | FLAG_CYCLE | FLAG_EXTRA_ROOT;
const BADGE_FLAGS = FLAG_ERROR | FLAG_WARNING | UNLINKED;

export function hasBadges(layout: Layout, row: number, closed: boolean): boolean {
  return closed || (layout.flags[row]! & BADGE_FLAGS) !== 0;
}

function Badges({ layout, row, closed, format }: RowProps) {
  const flags = layout.flags[row]!;
  const errors = layout.errorsBelow[row]!;
  return (
    <span className={styles.badges}>
      {flags & FLAG_ERROR ? <CircleAlert className={styles.error} aria-hidden="true" /> : null}
      {flags & FLAG_WARNING ? <TriangleAlert className={styles.warning} aria-hidden="true" /> : null}
      {flags & UNLINKED ? <Unlink className={styles.unlinked} aria-hidden="true" /> : null}
      {closed && errors > 0 && (
        <span className={styles.errorsBelow}>
          <CircleAlert aria-hidden="true" />
          {format.number(errors)}
        </span>
      )}
      {closed && <span className={styles.below}>+{format.number(layout.size[row]! - 1)}</span>}
    </span>
  );
}

function names({ layout, row, words, plain, texts: { t } }: RowProps): ReactNode {
  if (layout.flags[row]! & FLAG_VIRTUAL) return <em className={styles.missing}>{t('missingRoot')}</em>;
  const service = layout.services[layout.service[row]!]!;
  const operation = layout.operations[layout.operation[row]!]!;
  const parent = layout.parent[row]!;
  const sameService = parent >= 0 && layout.service[parent] === layout.service[row];
  // Names that are known to fit have been looked at: nothing in them is invisible.
  const text = (name: string) => (plain && !words ? name : <Marked text={name} words={words} />);
  return (
    <span className={sameService ? `${styles.names} ${styles.sameService}` : styles.names}>
      {service === '' ? <em>{t('noService')}</em> : text(service)}
      {operation !== '' && <span className={styles.operation}>{text(operation)}</span>}
    </span>
  );
}

function bar({ layout, times, zoom, row, criticalPath, format }: RowProps, look: string): ReactNode {
  const start = times.start[row]!;
  const duration = layout.duration[row]!;
  if (Number.isNaN(start)) return null;
  const flags = layout.flags[row]!;
  const left = percentOf(start, zoom.from, zoom.to);
  const right = percentOf(start + (duration || 0), zoom.from, zoom.to);
  if (right < 0 || left > 100) {
    return <span className={right < 0 ? styles.beforeView : styles.afterView} aria-hidden="true" />;
  }
  const inner = times.innerStart[row]!;
  const text = Number.isNaN(duration) ? '' : format.duration(duration);
  const kind = `${flags & FLAG_ERROR ? ` ${styles.failed}` : ''}${flags & FLAG_ASYNC ? ` ${styles.async}` : ''}`;
  return (
    <>
      <span
        className={`${styles.bar} hatch ${look}${Number.isNaN(inner) ? '' : ` ${styles.outer}`}${kind}`}
        style={placed(left, right)}
      />
      {text !== '' && <span className={styles.label}>{text}</span>}
      {!Number.isNaN(inner) && (
        <span
          className={`${styles.inner} hatch ${look}`}
          style={span(
            percentOf(inner, zoom.from, zoom.to),
            percentOf(inner + (layout.innerDuration[row]! || 0), zoom.from, zoom.to),
          )}
        />
      )}
      {criticalPath && criticalSegments(layout, times, zoom, row)}
      {layout.tickStart[row]! < layout.tickStart[row + 1]! && ticks(layout, times, zoom, row)}
    </>
  );
}

/** Cut to what is shown, so that no element is millions of pixels wide. */
function cut(left: number, right: number): { from: string; width: string } {
  const from = Math.max(-1, left);
  return { from: `${from}%`, width: `${Math.max(0, Math.min(100, right) - from)}%` };
}

/** A bar stands in the flow of its lane, with its label after it: each element with a position of its own is a layer. */
function placed(left: number, right: number): CSSProperties {
  const { from, width } = cut(left, right);
  return { marginLeft: from, width };
}

/** What lies on a bar. */
function span(left: number, right: number): CSSProperties {
  const { from, width } = cut(left, right);
  return { left: from, width };
}

function criticalSegments(layout: Layout, times: Times, zoom: Zoom, row: number): ReactNode {
  const { rowStart, from, to } = layout.critical;
  const shift = times.start[row]! - layout.times.start[row]!;
  const segments = [];
  let lastRight = Number.NEGATIVE_INFINITY;
  for (let i = rowStart[row]!; i < rowStart[row + 1]! && segments.length < MARKS_MAX; i++) {
    const left = percentOf(from[i]! + shift, zoom.from, zoom.to);
    const right = percentOf(to[i]! + shift, zoom.from, zoom.to);
    // What is too near to tell apart is drawn as one.
    if (right < 0 || left > 100 || right - lastRight < 0.05) continue;
    lastRight = right;
    segments.push(<span key={i} className={styles.critical} style={span(left, right)} />);
  }
  return segments;
}

function ticks(layout: Layout, times: Times, zoom: Zoom, row: number): ReactNode {
  const marks = [];
  let last = Number.NEGATIVE_INFINITY;
  for (let i = layout.tickStart[row]!; i < layout.tickStart[row + 1]! && marks.length < MARKS_MAX; i++) {
    const left = percentOf(times.ticks[i]!, zoom.from, zoom.to);
    if (left < 0 || left > 100 || left - last < 0.3) continue;
    last = left;
    marks.push(<span key={i} className={styles.tick} style={{ left: `${left}%` }} />);
  }
  return marks;
}

/** Marks drawn in one bar: more cannot be told apart. */
const MARKS_MAX = 24;

/** What a screen reader says of a row; its level, place and state it takes from the attributes. */
function spoken({ layout, times, row, closed, format, texts }: RowProps): string {
  const { t, starts } = texts;
  const flags = layout.flags[row]!;
  if (flags & FLAG_VIRTUAL) return t('missingRoot');
  const service = layout.services[layout.service[row]!]! || t('noService');
  const parts = [`${service} ${layout.operations[layout.operation[row]!]!}`.trim()];
  if (!Number.isNaN(layout.duration[row]!)) parts.push(format.durationSpoken(layout.duration[row]!));
  const start = times.start[row]!;
  parts.push(Number.isNaN(start) ? t('noTime') : starts.join(format.durationSpoken(start)));
  if (flags & FLAG_ERROR) parts.push(t('error'));
  if (flags & FLAG_WARNING) parts.push(t('warning'));
  if (flags & FLAG_ORPHAN) parts.push(t('orphan'));
  if (flags & FLAG_CYCLE) parts.push(t('cycle'));
  if (flags & FLAG_EXTRA_ROOT) parts.push(t('extraRoot'));
  if (closed) {
    parts.push(t('spokenBelow', { count: layout.size[row]! - 1 }));
    if (layout.errorsBelow[row]! > 0) parts.push(t('spokenErrorsBelow', { count: layout.errorsBelow[row]! }));
  }
  return parts.join(', ');
}
