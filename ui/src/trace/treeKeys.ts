/** The keys of a tree grid: what each does to the rows. */
import { binarySearch, canClose, placeOf } from '../model/collapse';
import type { TraceView } from './useTraceView';

export interface TreeAction {
  readonly select?: number;
  readonly open?: readonly number[];
  readonly close?: readonly number[];
  /** Go to the detail panel. */
  readonly detail?: boolean;
}

type Shown = Pick<TraceView, 'layout' | 'visible' | 'closed'>;

/** Undefined when the key means nothing here. */
export function treeKey(key: string, row: number, view: Shown, pageRows: number): TreeAction | undefined {
  const { layout, visible } = view;
  const place = placeOf(layout, visible, row);
  const at = (wanted: number): TreeAction => ({ select: visible[Math.min(visible.length - 1, Math.max(0, wanted))]! });
  switch (key) {
    case 'ArrowDown':
      return at(place + 1);
    case 'ArrowUp':
      return at(place - 1);
    case 'PageDown':
      return at(place + pageRows);
    case 'PageUp':
      return at(place - pageRows);
    case 'Home':
      return at(0);
    case 'End':
      return at(visible.length - 1);
    case 'ArrowRight':
      return openOrEnter(row, place, view);
    case 'ArrowLeft':
      return closeOrLeave(row, view);
    case '*':
      return { open: siblings(row, view) };
    case 'Enter':
      return { select: row, detail: true };
    case ' ':
      return { select: row };
    default:
      return undefined;
  }
}

function openOrEnter(row: number, place: number, { layout, visible, closed }: Shown): TreeAction {
  if (!canClose(layout, row)) return {};
  if (closed[row] === 1) return { open: [row] };
  const next = visible[place + 1];
  return next !== undefined && layout.parent[next] === row ? { select: next } : {};
}

function closeOrLeave(row: number, { layout, visible, closed }: Shown): TreeAction {
  if (canClose(layout, row) && closed[row] === 0) return { close: [row] };
  const parent = layout.parent[row]!;
  return parent >= 0 && binarySearch(visible, parent) >= 0 ? { select: parent } : {};
}

function siblings(row: number, { layout }: Shown): number[] {
  const parent = layout.parent[row]!;
  const first = parent < 0 ? 0 : parent + 1;
  const end = parent < 0 ? layout.rowCount : parent + layout.size[parent]!;
  const rows: number[] = [];
  for (let at = first; at < end; at += layout.size[at]!) if (canClose(layout, at)) rows.push(at);
  return rows;
}
