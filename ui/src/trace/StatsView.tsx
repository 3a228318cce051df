import { Download } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { type Format, useFormat } from '../i18n/format';
import type { StatsBy, StatsGroup } from '../model/stats';
import { PlainText } from '../widgets/PlainText';
import { LoadingPanel } from '../widgets/StatePanel';
import { findFor } from './Contributors';
import { type Column, DataGrid, formatSort, type GridSort, parseSort } from './DataGrid';
import { saveCsv } from './download';
import { ServiceName } from './ServiceName';
import styles from './StatsView.module.css';
import { shareText } from './share';
import { useCall } from './useCall';
import type { TraceView } from './useTraceView';
import { ViewBar, ViewFrame } from './ViewBar';

const DEFAULT_SORT: GridSort = { by: 'self', descending: true };

/** The numbers of a group, by the name of their column. */
const NUMBERS = {
  count: (group: StatsGroup) => group.count,
  total: (group: StatsGroup) => group.totalUs,
  self: (group: StatsGroup) => group.selfUs,
  critical: (group: StatsGroup) => group.criticalUs,
  average: (group: StatsGroup) => group.averageUs,
  p50: (group: StatsGroup) => group.p50Us,
  p95: (group: StatsGroup) => group.p95Us,
  max: (group: StatsGroup) => group.maxUs,
  errors: (group: StatsGroup) => group.errors,
} as const;

/** Where the time of the trace went: sums per service, operation or tag. A click finds the rows. */
export default function StatsView({ view }: { readonly view: TraceView }) {
  const { layout, address, update } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const by = statsBy(address.by);
  const { value: stats, current } = useCall(view.trace, 'stats', layout.split, { by });
  const { value: keys } = useCall(view.trace, 'tagKeys', layout.split, {});
  const sort = useMemo(() => parseSort(address.sort, DEFAULT_SORT), [address.sort]);
  const groups = useMemo(() => sortGroups(stats?.groups ?? [], sort, format.compare), [stats, sort, format]);
  const columns = useColumns(view, by, groups, format);
  if (!stats) return <LoadingPanel label={t('loadingView')} />;
  const save = () => saveCsv(csvRows(groups), `${layout.traceId}-${by}.csv`);
  return (
    <ViewFrame>
      <ViewBar
        text={`${t('groupCount', { count: groups.length })}${stats.leftOut > 0 ? ` ${t('groupsLeftOut', { count: stats.leftOut })}` : ''}`}
      >
        <label>
          {t('groupBy')}
          <select
            className="field"
            value={by}
            onChange={(event) => update({ by: event.target.value, sort: undefined })}
          >
            <option value="service">{t('columnService')}</option>
            <option value="operation">{t('columnOperation')}</option>
            <optgroup label={t('headingTags')}>
              {keys?.map(({ key }) => (
                <option key={key} value={`tag:${key}`}>
                  {key}
                </option>
              ))}
            </optgroup>
          </select>
        </label>
        <button type="button" className="button small" onClick={save}>
          <Download aria-hidden="true" />
          {t('saveCsv')}
        </button>
      </ViewBar>
      <DataGrid
        label={t('viewStats')}
        columns={columns}
        count={current ? groups.length : 0}
        keyOf={(i) => `${groups[i]!.service}\n${groups[i]!.name}`}
        selected={-1}
        onChoose={(i) => update({ view: 'timeline', find: findOf(by, groups[i]!) }, 'push')}
        sort={sort}
        onSort={(next) => update({ sort: formatSort(next) })}
      />
    </ViewFrame>
  );
}

function useColumns(view: TraceView, by: StatsBy, groups: readonly StatsGroup[], format: Format): Column[] {
  const { layout } = view;
  const { t } = useTranslation('trace');
  return useMemo(() => {
    const codes = new Map(layout.services.map((name, code) => [name, code]));
    const selfSum = groups.reduce((sum, group) => sum + group.selfUs, 0);
    const us = (value: number) =>
      Number.isNaN(value) ? '–' : <span title={format.durationExact(value)}>{format.duration(value)}</span>;
    const time = (id: keyof typeof NUMBERS, label: string, title?: string): Column => ({
      id,
      label,
      width: '5rem',
      number: true,
      cell: (i) => us(NUMBERS[id](groups[i]!)),
      ...(title !== undefined && { title }),
    });
    const name: Column = {
      id: 'name',
      label: by === 'operation' ? t('columnOperation') : by.slice('tag:'.length),
      width: 'minmax(10rem, 1fr)',
      cell: (i) =>
        groups[i]!.name === '' ? (
          <em className="muted">{t('emptyValue')}</em>
        ) : (
          <PlainText text={groups[i]!.name ?? ''} />
        ),
    };
    const service: Column = {
      id: 'service',
      label: t('columnService'),
      width: by === 'service' ? 'minmax(9rem, 1fr)' : 'minmax(8rem, 13rem)',
      cell: (i) => <ServiceName layout={layout} service={codes.get(groups[i]!.service) ?? 0} />,
    };
    return [
      ...(by.startsWith('tag:') ? [] : [service]),
      ...(by === 'service' ? [] : [name]),
      {
        id: 'count',
        label: t('columnCount'),
        width: '4rem',
        number: true,
        cell: (i) => format.number(groups[i]!.count),
      },
      time('total', t('columnTotal'), t('columnTotalText')),
      {
        id: 'self',
        label: t('factSelf'),
        title: t('columnSelfText'),
        width: '10rem',
        number: true,
        cell: (i) => <Share us={groups[i]!.selfUs} of={selfSum} format={format} />,
      },
      {
        id: 'critical',
        label: t('factCritical'),
        width: '10rem',
        number: true,
        cell: (i) => <Share us={groups[i]!.criticalUs} of={layout.critical.totalUs} format={format} />,
      },
      time('average', t('columnAverage')),
      time('p50', 'p50'),
      time('p95', 'p95'),
      time('max', t('columnMax')),
      {
        id: 'errors',
        label: t('columnErrors'),
        width: '4rem',
        number: true,
        cell: (i) =>
          groups[i]!.errors > 0 ? <span className={styles.errors}>{format.number(groups[i]!.errors)}</span> : '',
      },
    ];
  }, [layout, by, groups, format, t]);
}

/** A time and its share of a sum, also as a bar. */
function Share({ us, of, format }: { us: number; of: number; format: Format }) {
  if (!(us > 0)) return <span className="muted">–</span>;
  const share = of > 0 ? us / of : 0;
  return (
    <span className={styles.share} title={format.durationExact(us)}>
      <span className={styles.track} aria-hidden="true">
        <span style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
      <span className={styles.time}>{format.duration(us)}</span>
      <span className={styles.percent}>{shareText(format, share)}</span>
    </span>
  );
}

function statsBy(text: string): StatsBy {
  return text === 'operation' || text.startsWith('tag:') ? (text as StatsBy) : 'service';
}

function sortGroups(
  groups: readonly StatsGroup[],
  { by, descending }: GridSort,
  compare: Format['compare'],
): StatsGroup[] {
  const sign = descending ? -1 : 1;
  const sorted = [...groups];
  if (by === 'service' || by === 'name') {
    const word = (group: StatsGroup) => (by === 'service' ? group.service : (group.name ?? ''));
    return sorted.sort((a, b) => sign * compare(word(a), word(b)));
  }
  const value = Object.hasOwn(NUMBERS, by) ? NUMBERS[by as keyof typeof NUMBERS] : NUMBERS.self;
  return sorted.sort((a, b) => sign * ((value(a) || 0) - (value(b) || 0)));
}

/** The query that finds the rows of a group. */
function findOf(by: StatsBy, group: StatsGroup): string {
  if (by === 'service') return findFor(group.service, '');
  if (by === 'operation') return findFor(group.service, group.name ?? '');
  const quote = (text: string) => (/[\s"=]/.test(text) ? `"${text.replaceAll('"', '')}"` : text);
  return `${quote(by.slice('tag:'.length))}=${quote(group.name ?? '')}`;
}

function* csvRows(groups: readonly StatsGroup[]): Generator<(string | number)[]> {
  yield [
    'service',
    'name',
    ...Object.keys(NUMBERS).map((name) => (name === 'count' || name === 'errors' ? name : `${name}_us`)),
  ];
  for (const group of groups)
    yield [group.service, group.name ?? '', ...Object.values(NUMBERS).map((value) => value(group))];
}
