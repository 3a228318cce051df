import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Download, Network, Table2 } from 'lucide-react';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { MapAddress } from '../address/map';
import { type Lookback, lookbackSteps } from '../address/search';
import type { ServerConfig } from '../api/config';
import { useProgress } from '../api/progress';
import { useFormat } from '../i18n/format';
import { Page } from '../layout/Page';
import { FocusPanel } from '../map/FocusPanel';
import { around, busiest, drawable, errorShare, nodesAtOnceMax, type ServiceLink, serviceGraph } from '../map/graph';
import { LinkTable } from '../map/LinkTable';
import { linksQuery, type MapChange, mapProgress, useMapState } from '../map/useMap';
import { endingAt } from '../search/request';
import { TimeRange } from '../search/TimeRange';
import { csv, download } from '../widgets/csv';
import { EmptyPanel, ErrorPanel, LoadingPanel } from '../widgets/StatePanel';
import styles from './Map.module.css';

// On its way while the calls are: one after the other left the page empty for a second.
const graphView = import('../map/GraphView');
graphView.catch(() => undefined);
const GraphView = lazy(() => graphView);

/** Which service calls which, in a window of time. */
export function ServiceMap() {
  const { t } = useTranslation('map');
  const { address, query, config, ready, show, go } = useMapState();
  const client = useQueryClient();
  const progress = useProgress(mapProgress);
  if (ready && !config.dependency.enabled) {
    return (
      <Page title={t('title')} className={styles.page}>
        <h1 className="visually-hidden">{t('title')}</h1>
        <EmptyPanel title={t('disabledTitle')} icon={<Network aria-hidden="true" />}>
          <p className="muted">{t('disabledText')}</p>
          <Link to="/" className="button">
            {t('toSearch')}
          </Link>
        </EmptyPanel>
      </Page>
    );
  }
  const retry = () => void query.refetch();
  const cancel = () => void client.cancelQueries({ queryKey: linksQuery(address.range).queryKey });
  return (
    <Page title={t('title')} className={styles.page}>
      <h1 className="visually-hidden">{t('title')}</h1>
      <Toolbar address={address} links={query.data} onShow={show} onGo={go} />
      {query.isFetching || !address.range ? (
        <LoadingPanel label={t('loading')} progress={progress} onCancel={query.isFetching ? cancel : undefined} />
      ) : query.isError ? (
        <ErrorPanel title={t('failed')} error={query.error} onRetry={retry} />
      ) : query.data === undefined ? (
        <EmptyPanel title={t('cancelled')}>
          <button type="button" className="button" onClick={retry}>
            {t('again')}
          </button>
        </EmptyPanel>
      ) : query.data.length === 0 ? (
        <NoLinks range={address.range} onGo={go} />
      ) : (
        <Content links={query.data} address={address} limits={config.dependency} onShow={show} />
      )}
    </Page>
  );
}

function NoLinks(props: {
  readonly range: NonNullable<MapAddress['range']>;
  readonly onGo: (change: MapChange) => void;
}) {
  const { t } = useTranslation('map');
  const format = useFormat();
  const { startTime, endTime } = props.range;
  const week = () => {
    const end = Date.now();
    props.onGo({ range: { startTime: end - lookbackSteps['7d'], endTime: end } });
  };
  return (
    <EmptyPanel title={t('noneTitle')} icon={<Network aria-hidden="true" />}>
      <p className="muted">{t('noneText', { window: format.range(startTime, endTime) })}</p>
      <button type="button" className="button primary" onClick={week}>
        {t('noneWeek', { span: format.span(lookbackSteps['7d']) })}
      </button>
    </EmptyPanel>
  );
}

function Content(props: {
  readonly links: readonly ServiceLink[];
  readonly address: MapAddress;
  readonly limits: ServerConfig['dependency'];
  readonly onShow: (change: MapChange) => void;
}) {
  const { links, address, limits, onShow } = props;
  const { t } = useTranslation('map');
  const format = useFormat();
  const whole = useMemo(() => serviceGraph(links), [links]);
  const tooMany = whole.nodes.length > nodesAtOnceMax;
  const chosen = address.focus !== undefined && whole.nodes.some(({ name }) => name === address.focus);
  const focus = chosen ? address.focus : tooMany ? busiest(whole) : undefined;
  const graph = useMemo(
    () => (focus === undefined ? whole : around(whole, focus, address.depth)),
    [whole, focus, address.depth],
  );
  const drawn = useMemo(() => drawable(graph, focus), [graph, focus]);
  const found = useMemo(
    () =>
      matching(
        address.find,
        graph.nodes.map(({ name }) => name),
      ),
    [address.find, graph],
  );
  const rows = useMemo(
    () => (found ? graph.links.filter(({ parent, child }) => found.has(parent) || found.has(child)) : graph.links),
    [graph, found],
  );
  return (
    <>
      <p className={styles.facts} role="status">
        {t('facts', {
          services: t('services', { count: graph.nodes.length, number: format.number(graph.nodes.length) }),
          links: t('links', { count: rows.length, number: format.number(rows.length) }),
        })}
        {address.focus !== undefined && !chosen && ` ${t('focusUnknown')}`}
        {tooMany && !chosen && ` ${t('tooMany', { number: format.number(whole.nodes.length) })}`}
        {address.view === 'graph' &&
          drawn !== graph &&
          ` ${t('drawnOnly', { number: format.number(drawn.links.length) })}`}
        {found?.size === 0 && ` ${t('foundNone')}`}
      </p>
      <div className={styles.content}>
        {address.view === 'table' ? (
          <LinkTable links={rows} address={address} limits={limits} onShow={onShow} />
        ) : (
          <div className={styles.graph}>
            <Suspense fallback={<LoadingPanel label={t('layingOut')} />}>
              <GraphView
                graph={drawn}
                edge={address.edge}
                limits={limits}
                focus={focus}
                found={found}
                onFocus={(name) => onShow({ focus: name })}
              />
            </Suspense>
            <Legend limits={limits} />
          </div>
        )}
        {focus !== undefined && <FocusPanel name={focus} graph={whole} address={address} onShow={onShow} />}
      </div>
    </>
  );
}

function matching(text: string, names: readonly string[]): ReadonlySet<string> | undefined {
  const wanted = text.trim().toLowerCase();
  return wanted === '' ? undefined : new Set(names.filter((name) => name.toLowerCase().includes(wanted)));
}

function Legend({ limits }: { readonly limits: ServerConfig['dependency'] }) {
  const { t } = useTranslation('map');
  const format = useFormat();
  return (
    <ul className={styles.legend} aria-label={t('legend')}>
      <li className={styles.ok}>{t('legendOk', { share: format.percent(limits.lowErrorRate) })}</li>
      <li className={styles.warning}>{t('legendWarning', { share: format.percent(limits.lowErrorRate) })}</li>
      <li className={styles.critical}>{t('legendCritical', { share: format.percent(limits.highErrorRate) })}</li>
    </ul>
  );
}

function Toolbar(props: {
  readonly address: MapAddress;
  readonly links: readonly ServiceLink[] | undefined;
  readonly onShow: (change: MapChange) => void;
  readonly onGo: (change: MapChange) => void;
}) {
  const { address, links, onShow, onGo } = props;
  const { t } = useTranslation('map');
  const [range, setRange] = useState(false);
  const setLookback = (lookback: Lookback) => {
    setRange(lookback.kind === 'range');
    const ended = endingAt(lookback, Date.now());
    const endTime = ended.endTs ?? Date.now();
    const startTime =
      ended.kind === 'range'
        ? ended.startTs
        : endTime - (ended.kind === 'step' ? lookbackSteps[ended.step] : ended.millis);
    onGo({ range: { startTime: Math.max(0, startTime), endTime } });
  };
  const save = () => {
    const head = [t('columnParent'), t('columnChild'), t('columnCalls'), t('columnErrors'), t('columnRate')];
    const rows = (links ?? []).map((link) => [
      link.parent,
      link.child,
      link.callCount,
      link.errorCount,
      errorShare(link),
    ]);
    download('zipkin-dependencies.csv', csv([head, ...rows]), 'text/csv');
  };
  return (
    <div className={styles.toolbar}>
      {address.range && <TimeRange lookback={lookbackOf(address.range, range)} onChange={setLookback} />}
      <input
        type="search"
        className={`field ${styles.find}`}
        data-search-box=""
        value={address.find}
        placeholder={t('find')}
        aria-label={t('find')}
        onChange={({ target }) => onShow({ find: target.value })}
      />
      <div className={styles.tools}>
        {address.view === 'graph' && (
          <label className={styles.edge}>
            {t('edgeLabel')}
            <select
              className="field"
              value={address.edge}
              onChange={({ target }) => onShow({ edge: target.value as MapAddress['edge'] })}
            >
              <option value="calls">{t('columnCalls')}</option>
              <option value="errors">{t('columnErrors')}</option>
              <option value="rate">{t('columnRate')}</option>
            </select>
          </label>
        )}
        <button
          type="button"
          className="button"
          aria-pressed={address.view === 'table'}
          onClick={() => onShow({ view: address.view === 'table' ? 'graph' : 'table' })}
        >
          <Table2 aria-hidden="true" />
          {t('table')}
        </button>
        <button type="button" className="button" onClick={save} disabled={!links || links.length === 0}>
          <Download aria-hidden="true" />
          {t('csv')}
        </button>
      </div>
    </div>
  );
}

/** A window as the control shows it: a fixed step when it is as long as one. */
function lookbackOf({ startTime, endTime }: NonNullable<MapAddress['range']>, asRange: boolean): Lookback {
  if (asRange) return { kind: 'range', startTs: startTime, endTs: endTime };
  const length = endTime - startTime;
  const step = Object.entries(lookbackSteps).find(([, ms]) => ms === length)?.[0] as
    | keyof typeof lookbackSteps
    | undefined;
  if (step) return { kind: 'step', step, endTs: endTime };
  return { kind: 'range', startTs: startTime, endTs: endTime };
}
