import { Link } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { depthMax, type MapAddress } from '../address/map';
import { emptySearch, formatSearch } from '../address/search';
import { useFormat } from '../i18n/format';
import { ServiceTag } from '../widgets/ServiceTag';
import styles from './FocusPanel.module.css';
import { errorShare, linkKey, type ServiceGraph, type ServiceLink } from './graph';
import { TracesLink } from './LinkTable';
import type { MapChange } from './useMap';

/** What is known of the service in focus: who calls it, whom it calls. */
export function FocusPanel(props: {
  readonly name: string;
  readonly graph: ServiceGraph;
  readonly address: MapAddress;
  readonly onShow: (change: MapChange) => void;
}) {
  const { name, address, onShow } = props;
  const { t } = useTranslation('map');
  const callers = props.graph.links.filter(({ child }) => child === name);
  const called = props.graph.links.filter(({ parent }) => parent === name);
  const search = formatSearch({
    ...emptySearch,
    serviceName: name,
    ...(address.range && {
      lookback: { kind: 'range', startTs: Math.max(1, address.range.startTime), endTs: address.range.endTime },
    }),
  });
  return (
    <aside className={styles.panel} aria-label={t('focusLabel')}>
      <div className={styles.head}>
        <h2>
          <ServiceTag name={name} />
        </h2>
        <button
          type="button"
          className="button quiet icon"
          aria-label={t('focusClear')}
          title={t('focusClear')}
          onClick={() => onShow({ focus: undefined, depth: 1 })}
        >
          <X aria-hidden="true" />
        </button>
      </div>
      <div className={styles.tools}>
        <label>
          {t('hops')}
          <input
            type="number"
            className="field"
            min={1}
            max={depthMax}
            value={address.depth}
            onChange={({ target }) => {
              const depth = Math.floor(Number(target.value));
              if (depth >= 1 && depth <= depthMax) onShow({ depth });
            }}
          />
        </label>
        <Link to="/" search={search} className="button small">
          {t('tracesOf')}
        </Link>
      </div>
      <Calls title={t('calledBy')} none={t('calledByNone')} links={callers} other="parent" {...props} />
      <Calls title={t('callsTo')} none={t('callsToNone')} links={called} other="child" {...props} />
    </aside>
  );
}

function Calls(props: {
  readonly title: string;
  readonly none: string;
  readonly links: readonly ServiceLink[];
  readonly other: 'parent' | 'child';
  readonly address: MapAddress;
  readonly onShow: (change: MapChange) => void;
}) {
  const { t } = useTranslation('map');
  const format = useFormat();
  const sorted = [...props.links].sort((a, b) => b.callCount - a.callCount);
  return (
    <section className={styles.calls}>
      <h3>{props.title}</h3>
      {sorted.length === 0 && <p className="muted">{props.none}</p>}
      <ul>
        {sorted.map((link) => (
          <li key={linkKey(link.parent, link.child)}>
            <button type="button" className={styles.service} onClick={() => props.onShow({ focus: link[props.other] })}>
              <ServiceTag name={link[props.other]} />
            </button>
            <span className={styles.facts}>
              {t('calls', { count: link.callCount, number: format.number(link.callCount) })}
              {link.errorCount > 0 && (
                <span className={styles.errors}> · {t('errorShare', { share: format.percent(errorShare(link)) })}</span>
              )}
            </span>
            <TracesLink link={link} range={props.address.range} />
          </li>
        ))}
      </ul>
    </section>
  );
}
