import { CircleAlert, Download, X } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { columnsMax } from '../address/trace';
import { useFormat } from '../i18n/format';
import { FLAG_ERROR, FLAG_VIRTUAL, isWithin, type Layout, type Times } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import type { TagColumn } from '../worker/protocol';
import { type Column, DataGrid, formatSort, type GridSort, parseSort } from './DataGrid';
import { saveCsv } from './download';
import { kindNames } from './kinds';
import { ServiceName } from './ServiceName';
import styles from './SpanTable.module.css';
import { useCall } from './useCall';
import { useTagColumns } from './useTagColumns';
import type { TraceView } from './useTraceView';
import { ViewBar, ViewFrame } from './ViewBar';

const DEFAULT_SORT: GridSort = { by: 'start', descending: false };

/** All rows as a table: sorted by any column, with tags as columns, also as a file. */
export default function SpanTable({ view }: { readonly view: TraceView }) {
  const { layout, times, address, update } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const sort = useMemo(() => parseSort(address.sort, DEFAULT_SORT), [address.sort]);
  const tags = useTagColumns(view);
  const { focus, found } = view;
  const rows = useMemo(
    () => shownRows(layout, focus, found.matching, address.errorsOnly),
    [layout, focus, found.matching, address.errorsOnly],
  );
  const order = useMemo(
    () => sortRows(rows, sort, layout, times, tags, format.compare),
    [rows, sort, layout, times, tags, format],
  );
  const selected = order.indexOf(view.selected);
  const us = (value: number) =>
    Number.isNaN(value) ? (
      <span className="muted">–</span>
    ) : (
      <span title={format.durationExact(value)}>{format.duration(value)}</span>
    );
  const at = (index: number) => order[index]!;
  const columns: Column[] = [
    { id: 'start', label: t('factStart'), width: '5.5rem', number: true, cell: (i) => us(times.start[at(i)]!) },
    {
      id: 'service',
      label: t('columnService'),
      width: 'minmax(9rem, 14rem)',
      cell: (i) => <ServiceName layout={layout} service={layout.service[at(i)]!} />,
    },
    {
      id: 'operation',
      label: t('columnOperation'),
      width: 'minmax(12rem, 1fr)',
      cell: (i) => (
        <>
          {layout.flags[at(i)]! & FLAG_ERROR ? <CircleAlert className={styles.error} aria-label={t('error')} /> : null}
          <PlainText text={layout.operations[layout.operation[at(i)]!]!} />
        </>
      ),
    },
    { id: 'kind', label: t('factKind'), width: '8rem', cell: (i) => kindNames[layout.kind[at(i)]!] || t('noKind') },
    { id: 'duration', label: t('factDuration'), width: '6rem', number: true, cell: (i) => us(layout.duration[at(i)]!) },
    { id: 'self', label: t('factSelf'), width: '6rem', number: true, cell: (i) => us(layout.self[at(i)]!) },
    { id: 'depth', label: t('columnDepth'), width: '4rem', number: true, cell: (i) => layout.depth[at(i)]! },
    {
      id: 'errors',
      label: t('columnErrorsBelow'),
      width: '6rem',
      number: true,
      cell: (i) => (layout.errorsBelow[at(i)] ? format.number(layout.errorsBelow[at(i)]!) : ''),
    },
    ...address.columns.map(
      (key): Column => ({
        id: `tag:${key}`,
        label: key,
        width: 'minmax(8rem, 16rem)',
        cell: (i) => <PlainText text={tagText(tags.get(key), at(i))} />,
      }),
    ),
  ];
  const save = () => saveCsv(csvRows(view, order, columns, tags), `${layout.traceId}.csv`);
  return (
    <ViewFrame>
      <ViewBar text={t('tableRows', { count: order.length })}>
        <TagColumnPicker view={view} />
        <button type="button" className="button small" onClick={save}>
          <Download aria-hidden="true" />
          {t('saveCsv')}
        </button>
      </ViewBar>
      <DataGrid
        label={t('rowsLabel')}
        columns={columns}
        count={order.length}
        keyOf={at}
        selected={selected}
        onChoose={(i) => view.select(at(i), { detail: true })}
        sort={sort}
        onSort={(next) => update({ sort: formatSort(next) })}
      />
    </ViewFrame>
  );
}

/** Rows of the table: those of the focus; of a search only what it found, and only errors if asked. */
function shownRows(layout: Layout, focus: number, matching: Uint8Array | undefined, errorsOnly: boolean): Int32Array {
  const rows = new Int32Array(layout.rowCount);
  let count = 0;
  for (let row = 0; row < layout.rowCount; row++) {
    if (layout.flags[row]! & FLAG_VIRTUAL) continue;
    if (focus >= 0 && !isWithin(layout, focus, row)) continue;
    if (matching && matching[row] === 0) continue;
    if (errorsOnly && !(layout.flags[row]! & FLAG_ERROR)) continue;
    rows[count++] = row;
  }
  return rows.subarray(0, count);
}

type Tags = ReadonlyMap<string, TagColumn>;

function sortRows(
  rows: Int32Array,
  { by, descending }: GridSort,
  layout: Layout,
  times: Times,
  tags: Tags,
  compare: (a: string, b: string) => number,
): Int32Array {
  const value = sortValues(by, layout, times, tags, compare);
  const order = rows.slice();
  if (!value) return order;
  const sign = descending ? -1 : 1;
  return order.sort((a, b) => {
    const x = value(a);
    const y = value(b);
    // What is not known comes last in both directions.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return sign * (x - y) || a - b;
  });
}

/** Numbers by which rows are sorted; words by their place in the language's order, found once for each word. */
function sortValues(
  by: string,
  layout: Layout,
  times: Times,
  tags: Tags,
  compare: (a: string, b: string) => number,
): ((row: number) => number) | undefined {
  const numbers = { start: times.start, duration: layout.duration, self: layout.self, depth: layout.depth }[by];
  if (numbers) return (row) => numbers[row]!;
  if (by === 'errors') return (row) => layout.errorsBelow[row]!;
  if (by === 'kind') return (row) => layout.kind[row]!;
  const words = {
    service: { codes: layout.service, list: layout.services },
    operation: { codes: layout.operation, list: layout.operations },
  }[by];
  if (words) {
    const ranks = ranksOf(words.list, compare);
    return (row) => ranks[words.codes[row]!]!;
  }
  const tag = by.startsWith('tag:') ? tags.get(by.slice('tag:'.length)) : undefined;
  if (!tag) return undefined;
  const ranks = ranksOf(tag.values, compare);
  return (row) => (tag.codes[row]! < 0 ? Number.NaN : ranks[tag.codes[row]!]!);
}

function ranksOf(words: readonly string[], compare: (a: string, b: string) => number): Int32Array {
  const ranks = new Int32Array(words.length);
  const order = words.map((_, i) => i).sort((a, b) => compare(words[a]!, words[b]!));
  order.forEach((word, rank) => {
    ranks[word] = rank;
  });
  return ranks;
}

function tagText(column: TagColumn | undefined, row: number): string {
  const code = column?.codes[row] ?? -1;
  return code < 0 ? '' : column!.values[code]!;
}

function* csvRows(
  { layout, times }: TraceView,
  order: Int32Array,
  columns: readonly Column[],
  tags: Tags,
): Generator<(string | number)[]> {
  yield columns.map(({ id }) => CSV_NAMES[id] ?? id);
  for (const row of order) {
    yield columns.map(({ id }): string | number => {
      switch (id) {
        case 'start':
          return times.originUs + times.start[row]!;
        case 'service':
          return layout.services[layout.service[row]!]!;
        case 'operation':
          return layout.operations[layout.operation[row]!]!;
        case 'kind':
          return kindNames[layout.kind[row]!]!;
        case 'duration':
          return layout.duration[row]!;
        case 'self':
          return layout.self[row]!;
        case 'depth':
          return layout.depth[row]!;
        case 'errors':
          return layout.errorsBelow[row]!;
        default:
          return tagText(tags.get(id.slice('tag:'.length)), row);
      }
    });
  }
}

/** In a file the unit stands in the name. */
const CSV_NAMES: Readonly<Record<string, string>> = {
  start: 'timestamp_us',
  duration: 'duration_us',
  self: 'self_us',
  errors: 'errors_below',
};

function TagColumnPicker({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const { address, update } = view;
  const { value: keys } = useCall(view.trace, 'tagKeys', view.layout.split, {});
  const set = (columns: readonly string[]) => update({ columns });
  return (
    <>
      <label>
        {t('addColumn')}
        <select
          className="field"
          value=""
          disabled={address.columns.length >= columnsMax}
          onChange={(event) => set([...address.columns, event.target.value])}
        >
          <option value="">{t('chooseTag')}</option>
          {keys
            ?.filter(({ key }) => !address.columns.includes(key))
            .map(({ key, count }) => (
              <option key={key} value={key}>{`${key} (${count})`}</option>
            ))}
        </select>
      </label>
      {address.columns.map((key) => (
        <button
          key={key}
          type="button"
          className="button small"
          aria-label={t('removeColumn', { name: key })}
          onClick={() => set(address.columns.filter((one) => one !== key))}
        >
          <PlainText text={key} />
          <X aria-hidden="true" />
        </button>
      ))}
    </>
  );
}
