import { all, first, integer, type RawSearch, unknownOf } from './raw';

export const traceViews = ['timeline', 'flame', 'table', 'stats', 'map', 'json'] as const;
export type TraceView = (typeof traceViews)[number];

/**
 * Which rows are closed. `default` lets the page decide (large traces start partly closed); `these` closes the named
 * ones (none at all: everything is open), `allBut` opens only the named ones; `depth` closes every row at or below a
 * depth, turned round for the named ones: the form for more than 200 names.
 */
export type Collapsed =
  | { readonly kind: 'default' }
  | { readonly kind: 'these'; readonly ids: readonly string[] }
  | { readonly kind: 'allBut'; readonly ids: readonly string[] }
  | { readonly kind: 'depth'; readonly depth: number; readonly except: readonly string[] };

export interface TraceAddress {
  readonly view: TraceView;
  /** The selected row: a span id, with `-c` or `-s` when halves are shown apart, and `-2` … when the id came again. */
  readonly span?: string;
  /** Microseconds from the start of the trace. */
  readonly zoom?: { readonly startUs: number; readonly endUs: number };
  readonly collapsed: Collapsed;
  /** The span whose subtree alone is shown. */
  readonly root?: string;
  readonly find: string;
  readonly criticalPath: boolean;
  /** Times as received, without the correction of clock skew. */
  readonly rawTimes: boolean;
  /** Client and server halves as rows of their own. */
  readonly split: boolean;
  readonly errorsOnly: boolean;
  /** Hide what `find` does not match, instead of dimming it. */
  readonly matchesOnly: boolean;
  /** Order of the table or the statistics: a column, `-` before it for descending. */
  readonly sort?: string;
  /** Tags that are columns of the table. */
  readonly columns: readonly string[];
  /** What the statistics are grouped by: `service`, `operation` or `tag:` and a key. */
  readonly by: string;
  /** The flame graph with calls of one path merged. */
  readonly merged: boolean;
  /** A picture shown as a table. */
  readonly asTable: boolean;
  /** Whether the detail panel may be open. */
  readonly detail: boolean;
  /** `file`: the trace was opened from a file and is only in this browser. */
  readonly source: 'server' | 'file';
  readonly unknown: RawSearch;
}

/** More names than this would make the address too long; `collapsedIdsMax` names of 17 characters stay below 4 KiB. */
export const collapsedIdsMax = 200;

/** More columns than this fit no screen. */
export const columnsMax = 20;

export const emptyTrace: TraceAddress = {
  view: 'timeline',
  collapsed: { kind: 'default' },
  find: '',
  criticalPath: false,
  rawTimes: false,
  split: false,
  errorsOnly: false,
  matchesOnly: false,
  columns: [],
  by: 'service',
  merged: false,
  asTable: false,
  detail: true,
  source: 'server',
  unknown: {},
};

const known = new Set([
  ...['v', 's', 'z', 'c', 'root', 'q', 'cp', 'skew', 'split', 'errs', 'only', 'd', 'src'],
  ...['sort', 'col', 'by', 'f', 't'],
]);

export function parseTrace(raw: RawSearch): TraceAddress {
  const view = first(raw, 'v');
  const span = spanId(first(raw, 's'), true);
  const root = spanId(first(raw, 'root'), true);
  const zoom = parseZoom(first(raw, 'z'));
  const sort = first(raw, 'sort') || undefined;
  return {
    view: traceViews.find((name) => name === view) ?? 'timeline',
    ...(span !== undefined && { span }),
    ...(zoom && { zoom }),
    collapsed: parseCollapsed(first(raw, 'c')),
    ...(root !== undefined && { root }),
    find: first(raw, 'q') ?? '',
    criticalPath: first(raw, 'cp') === '1',
    rawTimes: first(raw, 'skew') === 'raw',
    split: first(raw, 'split') === '1',
    errorsOnly: first(raw, 'errs') === '1',
    matchesOnly: first(raw, 'only') === '1',
    ...(sort !== undefined && { sort }),
    columns: [...new Set(all(raw, 'col').filter((key) => key !== ''))].slice(0, columnsMax),
    by: first(raw, 'by') || 'service',
    merged: first(raw, 'f') === 'path',
    asTable: first(raw, 't') === '1',
    detail: first(raw, 'd') !== '0',
    source: first(raw, 'src') === 'file' ? 'file' : 'server',
    unknown: unknownOf(raw, known),
  };
}

export function formatTrace(trace: TraceAddress): Record<string, string | readonly string[]> {
  const raw: Record<string, string | readonly string[]> = Object.create(null);
  if (trace.source === 'file') raw.src = 'file';
  if (trace.view !== 'timeline') raw.v = trace.view;
  if (trace.span !== undefined) raw.s = trace.span;
  if (trace.zoom) raw.z = `${Math.round(trace.zoom.startUs)}-${Math.round(trace.zoom.endUs)}`;
  const collapsed = formatCollapsed(trace.collapsed);
  if (collapsed !== undefined) raw.c = collapsed;
  if (trace.root !== undefined) raw.root = trace.root;
  if (trace.find !== '') raw.q = trace.find;
  if (trace.criticalPath) raw.cp = '1';
  if (trace.rawTimes) raw.skew = 'raw';
  if (trace.split) raw.split = '1';
  if (trace.errorsOnly) raw.errs = '1';
  if (trace.matchesOnly) raw.only = '1';
  if (!trace.detail) raw.d = '0';
  if (trace.sort !== undefined) raw.sort = trace.sort;
  if (trace.columns.length > 0) raw.col = trace.columns;
  if (trace.by !== 'service') raw.by = trace.by;
  if (trace.merged) raw.f = 'path';
  if (trace.asTable) raw.t = '1';
  return Object.assign(raw, trace.unknown);
}

function spanId(text: string | undefined, halves: boolean): string | undefined {
  const match = /^([0-9a-f]{1,16})(-[cs])?(-[1-9]\d{0,5})?$/i.exec(text ?? '');
  if (!match || (match[2] !== undefined && !halves)) return undefined;
  return `${match[1]?.toLowerCase().padStart(16, '0')}${match[2]?.toLowerCase() ?? ''}${match[3] ?? ''}`;
}

function parseZoom(text: string | undefined): TraceAddress['zoom'] {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  const startUs = integer(match?.[1]);
  const endUs = integer(match?.[2]);
  return startUs !== undefined && endUs !== undefined && startUs < endUs ? { startUs, endUs } : undefined;
}

function parseIds(text: string): string[] {
  const ids = text.split(',').map((id) => spanId(id, true));
  return [...new Set(ids.filter((id): id is string => id !== undefined))].slice(0, 2 * collapsedIdsMax);
}

function parseCollapsed(text: string | undefined): Collapsed {
  if (text === undefined) return { kind: 'default' };
  if (text === '*') return { kind: 'allBut', ids: [] };
  if (text.startsWith('*-')) return { kind: 'allBut', ids: parseIds(text.slice(2)) };
  const depth = /^d(\d{1,5})(?:-([0-9a-fcs,-]*))?$/i.exec(text);
  if (depth) return { kind: 'depth', depth: Number(depth[1]), except: parseIds(depth[2] ?? '') };
  return { kind: 'these', ids: parseIds(text) };
}

function formatCollapsed(collapsed: Collapsed): string | undefined {
  const list = (ids: readonly string[]) => ids.slice(0, 2 * collapsedIdsMax).join(',');
  switch (collapsed.kind) {
    case 'default':
      return undefined;
    case 'these':
      return list(collapsed.ids);
    case 'allBut':
      return collapsed.ids.length === 0 ? '*' : `*-${list(collapsed.ids)}`;
    case 'depth':
      return collapsed.except.length === 0 ? `d${collapsed.depth}` : `d${collapsed.depth}-${list(collapsed.except)}`;
  }
}
