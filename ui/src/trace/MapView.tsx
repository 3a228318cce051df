import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { type Format, useFormat } from '../i18n/format';
import type { ServiceGraph } from '../map/graph';
import type { ServiceCall, ServiceMap } from '../model/serviceMap';
import { lookByName, type ServiceLook } from '../theme/colours';
import { LoadingPanel } from '../widgets/StatePanel';
import { findFor } from './Contributors';
import { type Column, DataGrid, formatSort, type GridSort, parseSort } from './DataGrid';
import { looksOf } from './look';
import { ServiceName } from './ServiceName';
import { useCall } from './useCall';
import type { TraceView } from './useTraceView';
import { ViewBar, ViewFrame } from './ViewBar';

// On its way while the calls are: one after the other left the page empty for a second.
const graphView = import('../map/GraphView');
graphView.catch(() => undefined);
const GraphView = lazy(() => graphView);

const DEFAULT_SORT: GridSort = { by: 'total', descending: true };

/** The services of this trace and who called whom, as a graph or as a table. */
export default function MapView({ view }: { readonly view: TraceView }) {
  const { layout, address, update } = view;
  const { t } = useTranslation('trace');
  const { config } = useConfig();
  const { value: map } = useCall(view.trace, 'map', layout.split, {});
  const graph = useMemo(() => map && graphOf(busiest(map), t('noService')), [map, t]);
  const looks = useLooks(view);
  const showRows = (name: string) =>
    update({ view: 'timeline', find: findFor(name === t('noService') ? '' : name, '') }, 'push');
  return (
    <ViewFrame>
      <ViewBar
        text={
          map && `${t('serviceCount', { count: map.nodes.length })}, ${t('linkCount', { count: map.calls.length })}`
        }
      >
        <button
          type="button"
          className="button small"
          aria-pressed={address.asTable}
          onClick={() => update({ asTable: !address.asTable })}
        >
          {t('asTable')}
        </button>
      </ViewBar>
      {!map || !graph ? (
        <LoadingPanel label={t('loadingView')} />
      ) : address.asTable || map.calls.length === 0 ? (
        <CallTable view={view} calls={map.calls} />
      ) : (
        <Suspense fallback={<LoadingPanel label={t('loadingView')} />}>
          <GraphView
            graph={graph}
            edge="calls"
            limits={config.dependency}
            focus={undefined}
            found={undefined}
            lookOf={looks}
            onFocus={showRows}
          />
        </Suspense>
      )}
    </ViewFrame>
  );
}

/** More lines than this cannot be followed with the eye. */
const LINKS_DRAWN_MAX = 120;

/** The links with the most calls, and the services they connect. */
function busiest(map: ServiceMap): ServiceMap {
  if (map.calls.length <= LINKS_DRAWN_MAX) return map;
  const calls = [...map.calls].sort((a, b) => b.calls - a.calls).slice(0, LINKS_DRAWN_MAX);
  const connected = new Set(calls.flatMap(({ parent, child }) => [parent, child]));
  return { nodes: map.nodes.filter(({ service }) => connected.has(service)), calls };
}

/** Services look as they do in the rows. */
function useLooks({ layout }: TraceView): (name: string) => ServiceLook {
  return useMemo(() => {
    const codes = new Map(layout.services.map((name, code) => [name, code]));
    const looks = looksOf(layout);
    return (name) => {
      const look = looks[codes.get(name) ?? -1];
      return look && look.colour >= 0 ? { colour: look.colour, hatched: look.hatched } : lookByName(name);
    };
  }, [layout]);
}

/** The same shape as the map of all traces. */
function graphOf({ nodes, calls }: ServiceMap, noService: string): ServiceGraph {
  const name = (service: string) => service || noService;
  const sums = new Map(nodes.map(({ service }) => [service, { callsIn: 0, callsOut: 0, errorsIn: 0 }]));
  for (const call of calls) {
    sums.get(call.parent)!.callsOut += call.calls;
    sums.get(call.child)!.callsIn += call.calls;
    sums.get(call.child)!.errorsIn += call.errors;
  }
  return {
    nodes: nodes.map(({ service }) => ({ name: name(service), ...sums.get(service)! })),
    links: calls.map(({ parent, child, calls, errors }) => ({
      parent: name(parent),
      child: name(child),
      callCount: calls,
      errorCount: errors,
    })),
  };
}

function CallTable({ view, calls }: { view: TraceView; calls: readonly ServiceCall[] }) {
  const { layout, address, update } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const sort = useMemo(() => parseSort(address.sort, DEFAULT_SORT), [address.sort]);
  const sorted = useMemo(() => sortCalls(calls, sort, format), [calls, sort, format]);
  const codes = useMemo(() => new Map(layout.services.map((name, code) => [name, code])), [layout]);
  const service = (id: 'parent' | 'child', label: string): Column => ({
    id,
    label,
    width: 'minmax(9rem, 1fr)',
    cell: (i) => <ServiceName layout={layout} service={codes.get(sorted[i]![id]) ?? 0} />,
  });
  const number = (id: 'calls' | 'errors', label: string): Column => ({
    id,
    label,
    width: '6rem',
    number: true,
    cell: (i) => format.number(sorted[i]![id]),
  });
  const columns: Column[] = [
    service('parent', t('columnCaller')),
    service('child', t('columnCalled')),
    number('calls', t('columnCalls')),
    number('errors', t('columnErrors')),
    {
      id: 'total',
      label: t('columnTotal'),
      width: '7rem',
      number: true,
      cell: (i) => <span title={format.durationExact(sorted[i]!.totalUs)}>{format.duration(sorted[i]!.totalUs)}</span>,
    },
  ];
  return (
    <DataGrid
      label={t('viewMap')}
      columns={columns}
      count={sorted.length}
      keyOf={(i) => `${sorted[i]!.parent}\n${sorted[i]!.child}`}
      selected={-1}
      onChoose={(i) => update({ view: 'timeline', find: findFor(sorted[i]!.child, '') }, 'push')}
      sort={sort}
      onSort={(next) => update({ sort: formatSort(next) })}
    />
  );
}

function sortCalls(calls: readonly ServiceCall[], { by, descending }: GridSort, format: Format): ServiceCall[] {
  const sign = descending ? -1 : 1;
  const order = (a: ServiceCall, b: ServiceCall): number => {
    if (by === 'parent' || by === 'child') return format.compare(a[by], b[by]);
    if (by === 'calls' || by === 'errors') return a[by] - b[by];
    return a.totalUs - b.totalUs;
  };
  return [...calls].sort((a, b) => sign * order(a, b));
}
