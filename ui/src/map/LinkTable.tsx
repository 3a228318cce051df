import { Link } from '@tanstack/react-router';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { MapAddress, MapSort } from '../address/map';
import { emptySearch, formatSearch } from '../address/search';
import type { ServerConfig } from '../api/config';
import { useFormat } from '../i18n/format';
import { showInvisible } from '../widgets/invisible';
import { ServiceTag } from '../widgets/ServiceTag';
import { errorShare, healthOf, linkKey, type ServiceLink, sortLinks } from './graph';
import styles from './LinkTable.module.css';
import type { MapChange } from './useMap';

/** More rows than this are not drawn: the filter finds the others. */
const rowsMax = 1_000;

/** The calls as a table: what the graph shows, and what it cannot. */
export function LinkTable(props: {
  readonly links: readonly ServiceLink[];
  readonly address: MapAddress;
  readonly limits: ServerConfig['dependency'];
  readonly onShow: (change: MapChange) => void;
}) {
  const { address, links } = props;
  const { t } = useTranslation('map');
  const format = useFormat();
  const { by, descending } = address.sort;
  const sorted = useMemo(() => sortLinks(links, by, descending, format.compare), [links, by, descending, format]);
  const columns: readonly (readonly [MapSort, string])[] = [
    ['parent', t('columnParent')],
    ['child', t('columnChild')],
    ['calls', t('columnCalls')],
    ['errors', t('columnErrors')],
    ['rate', t('columnRate')],
  ];
  const sort = (column: MapSort) =>
    props.onShow({
      sort: { by: column, descending: by === column ? !descending : column !== 'parent' && column !== 'child' },
    });
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <caption className="visually-hidden">{t('tableLabel')}</caption>
        <thead>
          <tr>
            {columns.map(([column, label]) => (
              <th
                key={column}
                scope="col"
                aria-sort={by === column ? (descending ? 'descending' : 'ascending') : 'none'}
                className={column === 'parent' || column === 'child' ? undefined : styles.number}
              >
                <button type="button" onClick={() => sort(column)}>
                  {label}
                  {by === column && (descending ? <ArrowDown aria-hidden="true" /> : <ArrowUp aria-hidden="true" />)}
                </button>
              </th>
            ))}
            <th scope="col">
              <span className="visually-hidden">{t('columnTraces')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, rowsMax).map((link) => (
            <tr key={linkKey(link.parent, link.child)}>
              <td>
                <ServiceTag name={link.parent} />
              </td>
              <td>
                <ServiceTag name={link.child} />
              </td>
              <td className={styles.number}>{format.number(link.callCount)}</td>
              <td className={styles.number}>{format.number(link.errorCount)}</td>
              <td className={`${styles.number} ${styles[healthOf(errorShare(link), props.limits)]}`}>
                {format.percent(errorShare(link))}
              </td>
              <td className={styles.traces}>
                <TracesLink link={link} range={address.range} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > rowsMax && (
        <p className={styles.more}>{t('rowsMore', { number: format.number(sorted.length - rowsMax) })}</p>
      )}
    </div>
  );
}

/** The traces in which a service called another, in the same window. */
export function TracesLink(props: { readonly link: ServiceLink; readonly range: MapAddress['range'] }) {
  const { t } = useTranslation('map');
  const { parent, child } = props.link;
  const search = formatSearch({
    ...emptySearch,
    serviceName: parent,
    remoteServiceName: child,
    ...(props.range && {
      lookback: { kind: 'range', startTs: Math.max(1, props.range.startTime), endTs: props.range.endTime },
    }),
  });
  return (
    <Link
      to="/"
      search={search}
      aria-label={t('tracesFromTo', { parent: showInvisible(parent), child: showInvisible(child) })}
    >
      {t('traces')}
    </Link>
  );
}
