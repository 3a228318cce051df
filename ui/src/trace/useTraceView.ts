/** Everything the views of a trace share: what the address says, made into rows. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { TraceAddress } from '../address/trace';
import { type ClosedRows, canClose, closedRows, describeClosed, visibleRows } from '../model/collapse';
import { parseFind, wordsToMark } from '../model/find';
import { ancestorsOf, FLAG_ERROR, isWithin, type Layout, rowKey, rowOfKey, type Times } from '../model/layout';
import type { OpenTrace } from './openTraces';
import type { UpdateAddress } from './useTraceAddress';

export interface Zoom {
  readonly from: number;
  readonly to: number;
}

export interface Found {
  /** Rows that match, in order; undefined without a query or while it is asked. */
  readonly rows: Int32Array | undefined;
  /** One byte per row. */
  readonly matching: Uint8Array | undefined;
  /** Texts to mark in names and values. */
  readonly words: readonly string[];
  /** What was looked for: an earlier query while a newer one is asked. */
  readonly query: string;
}

export interface TraceView {
  readonly trace: OpenTrace;
  readonly layout: Layout;
  readonly times: Times;
  readonly address: TraceAddress;
  readonly update: UpdateAddress;
  readonly closed: ClosedRows;
  readonly visible: Int32Array;
  /** The selected row, -1 for none. */
  readonly selected: number;
  /** The row whose subtree alone is shown, -1 for all. */
  readonly focus: number;
  readonly zoom: Zoom;
  readonly zoomed: boolean;
  readonly found: Found;
  select: (row: number, options?: { detail?: boolean }) => void;
  /** Closes or opens rows. */
  setClosed: (rows: readonly number[], closed: boolean) => void;
  setAllClosed: (closed: boolean) => void;
  setZoom: (zoom: Zoom | undefined) => void;
  setFocus: (row: number) => void;
  /** Selects the next or previous row of a kind after the selected one, wrapping round. */
  step: (which: 'error' | 'match', direction: 1 | -1) => void;
}

const NOTHING_FOUND: Found = { rows: undefined, matching: undefined, words: [], query: '' };

export function useTraceView(
  trace: OpenTrace,
  layout: Layout,
  address: TraceAddress,
  update: UpdateAddress,
): TraceView {
  const [closed, changeClosed] = useClosedRows(layout, address, update);
  const found = useFound(trace, layout, address.find);
  const times = address.rawTimes ? layout.rawTimes : layout.times;
  const selected = useMemo(
    () => (address.span === undefined ? -1 : rowOfKey(layout, address.span)),
    [layout, address.span],
  );
  const focus = useMemo(
    () => (address.root === undefined ? -1 : rowOfKey(layout, address.root)),
    [layout, address.root],
  );
  const visible = useMemo(() => {
    const keep = rowsToKeep(layout, address.errorsOnly, address.matchesOnly ? found.matching : undefined);
    return visibleRows(layout, closed, { root: focus, keep });
  }, [layout, closed, focus, address.errorsOnly, address.matchesOnly, found.matching]);
  const zoom = useMemo(() => zoomOf(address, layout, times, focus), [address, layout, times, focus]);

  const setClosed = useCallback(
    (rows: readonly number[], close: boolean) =>
      changeClosed((next) => {
        for (const row of rows) if (canClose(layout, row)) next[row] = close ? 1 : 0;
      }),
    [changeClosed, layout],
  );
  const setAllClosed = useCallback(
    (close: boolean) =>
      changeClosed((next) => {
        for (let row = 0; row < layout.rowCount; row++) next[row] = close && canClose(layout, row) ? 1 : 0;
      }),
    [changeClosed, layout],
  );
  const select = useCallback(
    (row: number, options?: { detail?: boolean }) => {
      if (row < 0) update({ span: undefined });
      else update({ span: rowKey(layout, row), ...(options?.detail !== undefined && { detail: options.detail }) });
    },
    [layout, update],
  );
  const setZoom = useCallback(
    (next: Zoom | undefined) => update({ zoom: next && { startUs: Math.floor(next.from), endUs: Math.ceil(next.to) } }),
    [update],
  );
  const setFocus = useCallback(
    (row: number) => update({ root: row < 0 ? undefined : rowKey(layout, row), zoom: undefined }, 'push'),
    [layout, update],
  );
  const step = useCallback(
    (which: 'error' | 'match', direction: 1 | -1) => {
      const wanted = (row: number) =>
        (focus < 0 || isWithin(layout, focus, row)) &&
        (which === 'error' ? (layout.flags[row]! & FLAG_ERROR) !== 0 : found.matching?.[row] === 1);
      const row = nextRow(layout.rowCount, selected, direction, wanted);
      if (row < 0) return;
      setClosed(ancestorsOf(layout, row), false);
      select(row);
    },
    [layout, focus, selected, found.matching, setClosed, select],
  );

  return useMemo(
    () => ({
      trace,
      layout,
      times,
      address,
      update,
      closed,
      visible,
      selected,
      focus,
      zoom,
      zoomed: address.zoom !== undefined,
      found,
      select,
      setClosed,
      setAllClosed,
      setZoom,
      setFocus,
      step,
    }),
    [
      trace,
      layout,
      times,
      address,
      update,
      closed,
      visible,
      selected,
      focus,
      zoom,
      found,
      select,
      setClosed,
      setAllClosed,
      setZoom,
      setFocus,
      step,
    ],
  );
}

/** The next row of a kind, from `from` on and round the end; -1 when there is none. */
export function nextRow(count: number, from: number, direction: 1 | -1, wanted: (row: number) => boolean): number {
  const start = from < 0 && direction < 0 ? count : from;
  for (let i = 1; i <= count; i++) {
    const row = (((start + i * direction) % count) + count) % count;
    if (wanted(row)) return row;
  }
  return -1;
}

type ChangeClosed = (change: (next: ClosedRows) => void) => void;

/** The rows themselves are kept here: an address with very many names holds only the nearest description. */
function useClosedRows(layout: Layout, address: TraceAddress, update: UpdateAddress): [ClosedRows, ChangeClosed] {
  const [state, setState] = useState(() => ({
    layout,
    collapsed: address.collapsed,
    closed: closedRows(layout, address.collapsed),
  }));
  let current = state;
  if (state.layout !== layout || state.collapsed !== address.collapsed) {
    current = { layout, collapsed: address.collapsed, closed: closedRows(layout, address.collapsed) };
    setState(current);
  }
  const latest = useRef(current);
  latest.current = current;
  const change = useCallback<ChangeClosed>(
    (apply) => {
      const { layout, closed } = latest.current;
      const next = closed.slice();
      apply(next);
      const collapsed = describeClosed(layout, next);
      latest.current = { layout, collapsed, closed: next };
      setState(latest.current);
      update({ collapsed });
    },
    [update],
  );
  return [current.closed, change];
}

/** The worker is asked once typing pauses. */
const FIND_AFTER_MS = 120;

function useFound(trace: OpenTrace, layout: Layout, query: string): Found {
  const [found, setFound] = useState<Found & { layout: Layout }>();
  const wanted = query.trim();
  useEffect(() => {
    if (wanted === '') return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      trace.call('find', layout.split, { query: wanted }, abort.signal).then(
        (rows) => {
          const matching = new Uint8Array(layout.rowCount);
          for (const row of rows) matching[row] = 1;
          setFound({ rows, matching, words: wordsToMark(parseFind(wanted)), layout, query: wanted });
        },
        () => undefined,
      );
    }, FIND_AFTER_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [trace, layout, wanted]);
  if (wanted === '' || found?.layout !== layout) return NOTHING_FOUND;
  // While a longer query is asked, the last answer stays: less flicker.
  return found;
}

function rowsToKeep(layout: Layout, errorsOnly: boolean, matching: Uint8Array | undefined): Uint8Array | undefined {
  if (!errorsOnly) return matching;
  const keep = new Uint8Array(layout.rowCount);
  for (let row = 0; row < layout.rowCount; row++) {
    if (layout.flags[row]! & FLAG_ERROR && (!matching || matching[row] === 1)) keep[row] = 1;
  }
  return keep;
}

/** What of the time axis is shown: the zoom, else the focused span, else all. Never empty. */
function zoomOf(address: TraceAddress, layout: Layout, times: Times, focus: number): Zoom {
  if (address.zoom) {
    const from = Math.min(address.zoom.startUs, Math.max(0, times.durationUs - 1));
    return { from, to: Math.max(from + 1, address.zoom.endUs) };
  }
  const start = focus < 0 ? Number.NaN : times.start[focus]!;
  const duration = focus < 0 ? Number.NaN : layout.duration[focus]!;
  if (start >= 0 && duration > 0) return { from: start, to: start + duration };
  return { from: 0, to: Math.max(1, times.durationUs) };
}
