import { ChevronLeft, ChevronRight, CircleAlert, Clock, HardDrive, RefreshCw } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { FLAG_ERROR, FLAG_VIRTUAL, type Layout } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import { FindBox } from './FindBox';
import { looksOf } from './look';
import { Popup } from './Popup';
import styles from './TraceHeader.module.css';
import { TraceMenu } from './TraceMenu';
import type { TraceView } from './useTraceView';

/** Name, time and sums of the trace, and what can be done with the whole of it. */
export function TraceHeader(props: {
  readonly view: TraceView;
  readonly copyLink: () => string;
  readonly onReload: () => void;
}) {
  const { view } = props;
  const { layout, times, address } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <Name layout={layout} />
        <FindBox view={view} />
        <TraceMenu view={view} copyLink={props.copyLink} />
      </div>
      <div className={styles.facts}>
        <strong className={styles.duration} title={format.durationExact(times.durationUs)}>
          {format.duration(times.durationUs)}
        </strong>
        <time dateTime={new Date(times.originUs / 1000).toISOString()}>{format.dateTime(times.originUs / 1000)}</time>
        <span>{rowsText(layout, t)}</span>
        <span>{t('serviceCount', { count: layout.serviceCount })}</span>
        <span>{t('depthCount', { count: layout.depthMax + 1 })}</span>
        <Errors view={view} />
        <Skew view={view} />
        {address.source === 'file' && (
          <span className={styles.local}>
            <HardDrive aria-hidden="true" />
            {t('localTrace')}
          </span>
        )}
        <Fresh view={view} onReload={props.onReload} />
      </div>
    </header>
  );
}

function Name({ layout }: { layout: Layout }) {
  const { t } = useTranslation('trace');
  const look = looksOf(layout)[layout.service[0]!]!;
  const operation = layout.operations[layout.operation[0]!]!;
  if (layout.flags[0]! & FLAG_VIRTUAL) {
    return (
      <h1 className={styles.name}>
        <em>{t('missingRoot')}</em>
      </h1>
    );
  }
  const service = layout.services[layout.service[0]!]!;
  return (
    <h1 className={`${styles.name} ${look.className}`}>
      <span className={styles.service}>{service === '' ? t('noService') : <PlainText text={service} />}</span>{' '}
      <span className={styles.operation}>
        <PlainText text={operation} />
      </span>
    </h1>
  );
}

type Translate = ReturnType<typeof useTranslation<'trace'>>['t'];

function rowsText(layout: Layout, t: Translate): string {
  const rows = layout.rowCount - (layout.flags[0]! & FLAG_VIRTUAL ? 1 : 0);
  if (rows === layout.spanCount) return t('spanCount', { count: rows });
  return `${t('rowCount', { count: rows })} (${t('spanCount', { count: layout.spanCount })})`;
}

/** How many errors there are and where, with the way to each. */
function Errors({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const { layout } = view;
  const { errors, services } = useMemo(() => {
    const services = new Set<number>();
    let errors = 0;
    for (let row = 0; row < layout.rowCount; row++) {
      if (!(layout.flags[row]! & FLAG_ERROR)) continue;
      errors++;
      services.add(layout.service[row]!);
    }
    return { errors, services: services.size };
  }, [layout]);
  if (errors === 0) return <span>{t('noErrors')}</span>;
  return (
    <span className={styles.errors}>
      <CircleAlert aria-hidden="true" />
      {t('errorCount', { count: errors })} {t('inServices', { count: services })}
      <button
        type="button"
        className="button quiet small icon"
        aria-label={t('previousError')}
        title={t('previousError')}
        onClick={() => view.step('error', -1)}
      >
        <ChevronLeft aria-hidden="true" />
      </button>
      <button
        type="button"
        className="button quiet small icon"
        aria-label={t('nextError')}
        title={t('nextError')}
        onClick={() => view.step('error', 1)}
      >
        <ChevronRight aria-hidden="true" />
      </button>
    </span>
  );
}

/** Findings shown in the list; the same clock is found again with every call. */
const SKEWS_SHOWN_MAX = 100;

function Skew({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { layout, address, update } = view;
  if (!layout.skewChecked)
    return layout.rowCount > 1 ? <span title={t('skewNotCheckedText')}>{t('skewNotChecked')}</span> : null;
  if (layout.skews.length === 0) return null;
  const signed = (us: number) => `${us > 0 ? '+' : '−'}${format.duration(Math.abs(us))}`;
  const largest = layout.skews.reduce((a, b) => (Math.abs(b.shiftUs) > Math.abs(a.shiftUs) ? b : a));
  const label = address.rawTimes
    ? t('timesAsReported')
    : t('skewCorrected', { service: largest.service || largest.address, shift: signed(largest.shiftUs) });
  return (
    <Popup
      className={`button small ${styles.skew}`}
      name={t('skewTitle')}
      labelled
      label={
        <>
          <Clock aria-hidden="true" />
          <PlainText text={label} />
        </>
      }
    >
      {() => (
        <div className={styles.skewPanel}>
          <p>{t('skewText')}</p>
          <table>
            <tbody>
              {layout.skews.slice(0, SKEWS_SHOWN_MAX).map((skew) => (
                <tr key={skew.row}>
                  <th scope="row">
                    <button type="button" className={styles.skewRow} onClick={() => view.select(skew.row)}>
                      <PlainText text={skew.service || t('noService')} />
                    </button>
                  </th>
                  <td className="mono">{skew.address}</td>
                  <td className={styles.shift}>{signed(skew.shiftUs)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <label className={styles.rawSwitch}>
            <input
              type="checkbox"
              checked={address.rawTimes}
              onChange={(event) => update({ rawTimes: event.target.checked, zoom: undefined })}
            />
            {t('showReported')}
          </label>
        </div>
      )}
    </Popup>
  );
}

/** A trace that ended less than this ago may still grow. */
const FRESH_MS = 60_000;

function Fresh({ view, onReload }: { view: TraceView; onReload: () => void }) {
  const { t } = useTranslation('trace');
  const { times, address } = view;
  const endMs = (times.originUs + times.durationUs) / 1000;
  const [fresh, setFresh] = useState(false);
  useEffect(() => {
    const left = endMs + FRESH_MS - Date.now();
    const isFresh = address.source === 'server' && left > 0 && left <= 2 * FRESH_MS;
    setFresh(isFresh);
    if (!isFresh) return;
    const timer = setTimeout(() => setFresh(false), left);
    return () => clearTimeout(timer);
  }, [endMs, address.source]);
  if (!fresh) return null;
  return (
    <button type="button" className="button small" onClick={onReload} title={t('refreshText')}>
      <RefreshCw aria-hidden="true" />
      {t('refresh')}
    </button>
  );
}
