import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { rowOfKey } from '../model/layout';
import type { Endpoint } from '../model/span';
import { CopyButton } from '../widgets/CopyButton';
import { PlainText } from '../widgets/PlainText';
import type { HalfDetail } from '../worker/protocol';
import styles from './Detail.module.css';
import { TagList } from './TagList';
import type { TraceView } from './useTraceView';

/** One reported half of a row: who, when, ids, tags, annotations. */
export function HalfFacts(props: { view: TraceView; half: HalfDetail; alone: boolean; stale: boolean }) {
  const { view, half, alone } = props;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const kind = half.kind ?? t('noKind');
  return (
    <section className={props.stale ? `${styles.half} ${styles.stale}` : styles.half}>
      {!alone && (
        <h3 className={styles.halfTitle}>
          {kind} <PlainText text={half.local?.serviceName ?? ''} />
        </h3>
      )}
      <TagList view={view} half={half} />
      <Annotations view={view} half={half} />
      <h4 className={styles.heading}>{t('headingSpan')}</h4>
      <table className={styles.table}>
        <tbody>
          {alone && <Line label={t('factKind')} value={kind} />}
          <Line label={t('factSpanId')} value={half.id} copy />
          <ParentLine view={view} half={half} />
          <TimeLines half={half} />
          {!alone && half.durationUs > 0 && <Line label={t('factDuration')} value={format.duration(half.durationUs)} />}
          <EndpointLine label={t('factLocal')} endpoint={half.local} />
          <EndpointLine label={t('factRemote')} endpoint={half.remote} />
          {half.shared && <Line label={t('factShared')} value={t('sharedText')} />}
          {half.debug && <Line label={t('factDebug')} value={t('debugText')} />}
          {half.reports > 1 && <Line label={t('factReports')} value={t('reportsText', { count: half.reports })} />}
        </tbody>
      </table>
      {half.leftOut > 0 && <p className={styles.note}>{t('factsLeftOut', { count: half.leftOut })}</p>}
    </section>
  );
}

function Line(props: { label: string; value: string; title?: string; copy?: boolean }) {
  const { t } = useTranslation('trace');
  return (
    <tr>
      <th scope="row">{props.label}</th>
      <td title={props.title}>
        <span className={props.copy ? 'mono' : undefined}>
          <PlainText text={props.value} />
        </span>
        {props.copy && <CopyButton text={props.value} label={t('copyValue', { name: props.label })} small />}
      </td>
    </tr>
  );
}

function ParentLine({ view, half }: { view: TraceView; half: HalfDetail }) {
  const { t } = useTranslation('trace');
  if (half.parentId === undefined) return null;
  const parent = rowOfKey(view.layout, half.parentId);
  return (
    <tr>
      <th scope="row">{t('factParent')}</th>
      <td>
        {parent < 0 ? (
          <>
            <span className="mono">{half.parentId}</span> <span className="muted">{t('notReceived')}</span>
          </>
        ) : (
          <button type="button" className={`${styles.linkButton} mono`} onClick={() => view.select(parent)}>
            {half.parentId}
          </button>
        )}
      </td>
    </tr>
  );
}

/** As reported and, where a clock was off, as shown. */
function TimeLines({ half }: { half: HalfDetail }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  if (half.timestampUs === 0) return <Line label={t('factTime')} value={t('noTime')} />;
  const reported = format.dateTime(half.timestampUs / 1000);
  const exact = t('epochMicros', { us: half.timestampUs });
  if (half.shiftUs === 0) return <Line label={t('factTime')} value={reported} title={exact} />;
  const sign = half.shiftUs > 0 ? '+' : '−';
  return (
    <>
      <Line label={t('factTimeReported')} value={reported} title={exact} />
      <Line
        label={t('factTimeCorrected')}
        value={`${format.dateTime((half.timestampUs + half.shiftUs) / 1000)} (${sign}${format.duration(Math.abs(half.shiftUs))})`}
      />
    </>
  );
}

function EndpointLine({ label, endpoint }: { label: string; endpoint: Endpoint | undefined }) {
  if (!endpoint) return null;
  const text = endpointText(endpoint);
  return text === '' ? null : <Line label={label} value={text} copy />;
}

/** `service 10.0.0.1:8080`; both addresses when there are two. */
export function endpointText({ serviceName, ipv4, ipv6, port }: Endpoint): string {
  const address = [ipv4, ipv6 && (port ? `[${ipv6}]` : ipv6)].filter(Boolean).join(' ');
  const place = port ? `${address}:${port}` : address;
  return [serviceName, place].filter(Boolean).join(' ');
}

/** Annotations shown before "show all". */
const ANNOTATIONS_FIRST = 50;

function Annotations({ view, half }: { view: TraceView; half: HalfDetail }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const [all, setAll] = useState(false);
  if (half.annotations.length === 0) return null;
  const shown = all ? half.annotations : half.annotations.slice(0, ANNOTATIONS_FIRST);
  const shift = view.address.rawTimes ? 0 : half.shiftUs;
  return (
    <>
      <h4 className={styles.heading}>
        {t('headingAnnotations')} <span className={styles.count}>{format.number(half.annotations.length)}</span>
      </h4>
      <table className={styles.table}>
        <tbody>
          {shown.map((annotation, i) => {
            const at = annotation.timestampUs + shift - view.times.originUs;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: equal annotations were merged, the list never changes
              <tr key={i}>
                <th scope="row" title={format.dateTime((annotation.timestampUs + shift) / 1000)}>
                  {at < 0 ? '−' : '+'}
                  {format.duration(Math.abs(at))}
                </th>
                <td className={styles.value}>
                  <PlainText text={annotation.text} />
                  {annotation.length > annotation.text.length && '…'}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {shown.length < half.annotations.length && (
        <button type="button" className="button small" onClick={() => setAll(true)}>
          {t('showAllCount', { count: half.annotations.length })}
        </button>
      )}
    </>
  );
}
