import { useQuery, useQueryClient } from '@tanstack/react-query';
import { CircleAlert, List, ScatterChart } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SearchAddress } from '../address/search';
import { servicesQuery } from '../api/names';
import { useProgress } from '../api/progress';
import { useFormat } from '../i18n/format';
import { showInvisible } from '../widgets/invisible';
import { EmptyPanel, ErrorPanel, LoadingPanel } from '../widgets/StatePanel';
import { useFilterText } from './filterText';
import { type Found, searchProgress, serverSummarises, summariesQuery } from './query';
import { Results } from './Results';
import { limitMax, lookbackMs, type SearchRequest } from './request';
import { filterResults, statsOf } from './results';
import styles from './SearchResults.module.css';
import { filtersOf, withoutFilter } from './suggest';
import type { TraceSummary } from './summary';
import type { SearchChange } from './useSearch';

const Scatter = lazy(() => import('./Scatter'));

interface ResultsProps {
  readonly search: SearchAddress;
  readonly request: SearchRequest;
  readonly onShow: (change: SearchChange) => void;
  readonly onRun: (search: SearchAddress) => void;
}

/** The answer of a search in its states: loading, failed, empty, content. */
export function SearchResults(props: ResultsProps) {
  const { t } = useTranslation('search');
  const client = useQueryClient();
  const options = summariesQuery(props.request);
  const query = useQuery(options);
  const progress = useProgress(searchProgress);
  if (query.isFetching) {
    const cancel = () => void client.cancelQueries({ queryKey: options.queryKey });
    return <LoadingPanel label={t('searching')} progress={progress} onCancel={cancel} />;
  }
  const retry = () => void query.refetch();
  if (query.isError) return <ErrorPanel title={t('searchFailed')} error={query.error} onRetry={retry} />;
  if (query.data === undefined) {
    return (
      <EmptyPanel title={t('searchCancelled')}>
        <button type="button" className="button" onClick={retry}>
          {t('searchAgain')}
        </button>
      </EmptyPanel>
    );
  }
  if (query.data.traces.length === 0) return <NoResults {...props} />;
  return <Content {...props} traces={query.data.traces} more={query.data.more} />;
}

function Content(props: ResultsProps & { readonly traces: readonly TraceSummary[]; readonly more: boolean }) {
  const { traces, search, request, onShow } = props;
  const { t } = useTranslation('search');
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const { services, errorsOnly, brush } = search;
  const shown = useMemo(
    () => filterResults(traces, { services, errorsOnly, ...(brush && { brush }) }),
    [traces, services, errorsOnly, brush],
  );
  const allOpened = opened.size >= shown.length && shown.length > 0;
  return (
    <>
      <div className={styles.head}>
        <Facts traces={traces} shown={shown} limit={request.limit} search={search} onShow={onShow}>
          {props.more && (
            <RaiseLimit limit={request.limit} onRaise={(limit) => props.onRun({ ...search, limit: String(limit) })} />
          )}
        </Facts>
        <div className={styles.tools}>
          <button
            type="button"
            className="button small"
            aria-pressed={search.errorsOnly}
            onClick={() => onShow({ errorsOnly: !search.errorsOnly })}
          >
            <CircleAlert aria-hidden="true" />
            {t('errorsOnly')}
          </button>
          <label className={styles.group}>
            <span>{t('groupBy')}</span>
            <select
              className="field"
              value={search.group ?? ''}
              onChange={({ target }) => onShow({ group: groupOf(target.value) })}
            >
              <option value="">{t('groupNone')}</option>
              <option value="root">{t('groupRoot')}</option>
              <option value="service">{t('groupService')}</option>
            </select>
          </label>
          <button
            type="button"
            className="button small"
            aria-pressed={allOpened}
            onClick={() => setOpened(allOpened ? new Set() : new Set(shown.map(({ traceId }) => traceId)))}
          >
            <List aria-hidden="true" />
            {allOpened ? t('closeAll') : t('openAll')}
          </button>
          <button
            type="button"
            className="button small"
            aria-pressed={search.view !== 'list'}
            onClick={() => onShow({ view: search.view === 'list' ? 'scatter' : 'list' })}
          >
            <ScatterChart aria-hidden="true" />
            {t('scatter')}
          </button>
        </div>
      </div>
      {search.view !== 'list' && (
        <Suspense fallback={<div className={styles.scatterSpace} />}>
          <Scatter
            traces={traces}
            shown={shown}
            brush={search.brush}
            onBrush={(next) => onShow({ brush: next })}
            heat={search.view === 'heatmap'}
            onHeat={(heat) => onShow({ view: heat ? 'heatmap' : 'scatter' })}
          />
        </Suspense>
      )}
      {shown.length === 0 ? (
        <EmptyPanel title={t('filteredOut')}>
          <button
            type="button"
            className="button"
            onClick={() => onShow({ services: [], errorsOnly: false, brush: undefined })}
          >
            {t('clearFilters')}
          </button>
        </EmptyPanel>
      ) : (
        <Results
          traces={shown}
          search={search}
          onShow={onShow}
          onSince={(startTs) =>
            props.onRun({ ...search, lookback: { kind: 'range', startTs, endTs: Math.max(Date.now(), startTs + 1) } })
          }
          opened={opened}
          onOpened={setOpened}
        />
      )}
    </>
  );
}

function groupOf(value: string): SearchAddress['group'] {
  return value === 'root' || value === 'service' ? value : undefined;
}

/** How many, how bad, how slow; and which filters of the results are on. */
function Facts(props: {
  readonly traces: readonly TraceSummary[];
  readonly shown: readonly TraceSummary[];
  readonly limit: number;
  readonly search: SearchAddress;
  readonly onShow: (change: SearchChange) => void;
  readonly children: ReactNode;
}) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const stats = useMemo(() => statsOf(props.shown), [props.shown]);
  const all = t('traces', { count: props.traces.length, number: format.number(props.traces.length) });
  const filtered = props.shown.length !== props.traces.length;
  return (
    <div className={styles.facts}>
      <p role="status">
        <strong>{filtered ? t('shownOf', { shown: format.number(stats.count), all }) : all}</strong>
        {stats.count > 0 && (
          <>
            <span>{t('factErrors', { count: stats.errorCount, number: format.number(stats.errorCount) })}</span>
            <span title={format.durationExact(stats.p50Us)}>p50 {format.duration(stats.p50Us)}</span>
            <span title={format.durationExact(stats.p95Us)}>p95 {format.duration(stats.p95Us)}</span>
          </>
        )}
      </p>
      {props.children}
      {props.search.services.map((name) => (
        <button
          key={name}
          type="button"
          className="button small"
          aria-pressed="true"
          aria-label={t('removeFilter', { name: showInvisible(name) })}
          onClick={() => props.onShow({ services: props.search.services.filter((one) => one !== name) })}
        >
          {showInvisible(name)} ×
        </button>
      ))}
      {props.search.brush && (
        <button
          type="button"
          className="button small"
          aria-pressed="true"
          onClick={() => props.onShow({ brush: undefined })}
        >
          {t('clearBrush')}
        </button>
      )}
    </div>
  );
}

function RaiseLimit(props: { readonly limit: number; readonly onRaise: (limit: number) => void }) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const next = Math.min(limitMax, props.limit < 100 ? 100 : props.limit * 5);
  if (next <= props.limit) return <span className="muted">{t('limitReached')}</span>;
  return (
    <span className={styles.limit}>
      {t('limitReached')}{' '}
      <button type="button" className="button small" onClick={() => props.onRaise(next)}>
        {t('raiseLimit', { limit: format.number(next) })}
      </button>
    </span>
  );
}

/** Nothing matched: what was searched, and the nearest ways on. */
function NoResults({ search, request, onRun }: ResultsProps) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const { chipText } = useFilterText();
  const services = useQuery(servicesQuery());
  const filters = filtersOf(search);
  const window = format.range(request.endTs - request.lookback, request.endTs);
  const unknown =
    search.serviceName !== undefined && services.data && !services.data.includes(search.serviceName.toLowerCase());
  const double = () => {
    const millis = 2 * lookbackMs(search.lookback ?? { kind: 'millis', millis: request.lookback });
    const lookback =
      search.lookback?.kind === 'range'
        ? { kind: 'range' as const, startTs: Math.max(1, search.lookback.endTs - millis), endTs: search.lookback.endTs }
        : { kind: 'millis' as const, millis };
    onRun({ ...search, lookback });
  };
  return (
    <EmptyPanel title={t('noneTitle')}>
      <p className="muted">{t('noneSearched', { what: format.list([...filters.map(chipText), window]) })}</p>
      {unknown && <p>{t('noneUnknown', { name: showInvisible(search.serviceName ?? '') })}</p>}
      <p className="muted">{t('noneHint')}</p>
      <div className={styles.ways}>
        <button type="button" className="button primary" onClick={double}>
          {t('noneDouble', { span: format.span(2 * request.lookback) })}
        </button>
        {filters.map((filter) => (
          <button
            key={chipText(filter)}
            type="button"
            className="button"
            onClick={() => onRun(withoutFilter(search, filter))}
          >
            {t('noneWithout', { name: chipText(filter) })}
          </button>
        ))}
      </div>
      {serverSummarises() && <NearestData search={search} request={request} onRun={onRun} />}
    </EmptyPanel>
  );
}

/** What ended less than this ago needs no look at what came after. */
const justNowMs = 60_000;

/** The nearest times outside the window at which something matches: the last one before it, the newest after it. */
function NearestData({ search, request, onRun }: Pick<ResultsProps, 'search' | 'request' | 'onRun'>) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const [nowMs] = useState(Date.now);
  const { order: _, ...newest } = request;
  const startMs = request.endTs - request.lookback;
  const afterMs = nowMs - request.endTs;
  const before = useQuery(
    summariesQuery(startMs > 0 ? { ...newest, endTs: startMs, lookback: startMs, limit: 1 } : undefined),
  );
  const after = useQuery(
    summariesQuery(afterMs > justNowMs ? { ...newest, endTs: nowMs, lookback: afterMs, limit: 1 } : undefined),
  );
  const around = (us: number) => {
    const half = Math.max(justNowMs, request.lookback) / 2;
    const middle = us / 1000;
    onRun({
      ...search,
      lookback: { kind: 'range', startTs: Math.max(1, Math.floor(middle - half)), endTs: Math.ceil(middle + half) },
    });
  };
  const way = (found: Found | undefined, text: 'noneBefore' | 'noneAfter') => {
    const [trace] = found?.traces ?? [];
    return (
      trace && (
        <button type="button" className="button" onClick={() => around(trace.startUs)}>
          {t(text, { time: format.dayTime(trace.startUs / 1000) })}
        </button>
      )
    );
  };
  if (before.isLoading || after.isLoading) return null;
  const nothing = before.data?.traces.length === 0 && !after.data?.traces.length && !after.isError;
  return (
    <div className={styles.ways} role="status">
      {nothing && <p className="muted">{t('noneEver')}</p>}
      {way(before.data, 'noneBefore')}
      {way(after.data, 'noneAfter')}
    </div>
  );
}
