import { first, integer, type RawSearch, unknownOf } from './raw';

export interface MapAddress {
  /** Epoch milliseconds; lens calls them so. Both or none. */
  readonly range?: { readonly startTime: number; readonly endTime: number };
  readonly focus?: string;
  /** Hops shown around the focus. */
  readonly depth: number;
  readonly edge: 'calls' | 'errors' | 'rate';
  readonly view: 'graph' | 'table';
  /** Order of the table. */
  readonly sort: { readonly by: MapSort; readonly descending: boolean };
  /** What services are looked for. */
  readonly find: string;
  readonly unknown: RawSearch;
}

export const mapSorts = ['parent', 'child', 'calls', 'errors', 'rate'] as const;
export type MapSort = (typeof mapSorts)[number];
const defaultSort = '-calls';

export const depthMax = 20;
const known = new Set(['startTime', 'endTime', 'focus', 'depth', 'edge', 'view', 'sort', 'q']);

export function parseMap(raw: RawSearch): MapAddress {
  const startTime = integer(first(raw, 'startTime'));
  const endTime = integer(first(raw, 'endTime'));
  const focus = first(raw, 'focus');
  const depth = integer(first(raw, 'depth')) ?? 1;
  const edge = first(raw, 'edge');
  const inOrder = startTime !== undefined && endTime !== undefined && startTime >= 0 && startTime < endTime;
  return {
    ...(inOrder && { range: { startTime, endTime } }),
    ...(focus !== undefined && focus !== '' && { focus }),
    depth: Math.min(depthMax, Math.max(1, depth)),
    edge: edge === 'errors' || edge === 'rate' ? edge : 'calls',
    view: first(raw, 'view') === 'table' ? 'table' : 'graph',
    sort: parseSort(first(raw, 'sort') ?? defaultSort),
    find: first(raw, 'q') ?? '',
    unknown: unknownOf(raw, known),
  };
}

export function formatMap(map: MapAddress): Record<string, string | readonly string[]> {
  const raw: Record<string, string | readonly string[]> = Object.create(null);
  if (map.range) {
    raw.startTime = String(map.range.startTime);
    raw.endTime = String(map.range.endTime);
  }
  if (map.focus !== undefined) raw.focus = map.focus;
  if (map.depth !== 1) raw.depth = String(map.depth);
  if (map.edge !== 'calls') raw.edge = map.edge;
  if (map.view !== 'graph') raw.view = map.view;
  const sort = `${map.sort.descending ? '-' : ''}${map.sort.by}`;
  if (sort !== defaultSort) raw.sort = sort;
  if (map.find !== '') raw.q = map.find;
  return Object.assign(raw, map.unknown);
}

function parseSort(text: string): MapAddress['sort'] {
  const name = text.replace(/^-/, '');
  const by = mapSorts.find((one) => one === name);
  return by ? { by, descending: text.startsWith('-') } : { by: 'calls', descending: true };
}
