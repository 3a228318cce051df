import { Link } from '@tanstack/react-router';
import { ChevronRight, CircleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { type Format, useFormat } from '../i18n/format';
import { showInvisible } from '../widgets/invisible';
import { PlainText } from '../widgets/PlainText';
import { ServiceCode, ServiceTag } from '../widgets/ServiceTag';
import styles from './Results.module.css';
import type { ResultGroup } from './results';
import type { TraceSummary } from './summary';

/** Services shown by their letters in a row; the others are a number. */
const codesMax = 5;

/** A trace of the list: the whole row is a link. */
export function TraceRow(props: {
  readonly trace: TraceSummary;
  readonly local: boolean;
  readonly longestUs: number;
  readonly withDay: boolean;
  readonly opened: boolean;
  readonly onToggle: () => void;
}) {
  const { trace } = props;
  const { t } = useTranslation('search');
  const format = useFormat();
  const startMs = trace.startUs / 1000;
  return (
    <>
      <div role="cell" className={styles.toggle}>
        <button
          type="button"
          className={styles.expand}
          aria-expanded={props.opened}
          aria-label={t('rowServices', { name: rootText(trace, t('noRoot')) })}
          onClick={props.onToggle}
        >
          <ChevronRight aria-hidden="true" />
        </button>
      </div>
      <div role="cell" className={styles.start} title={format.dateTime(startMs)}>
        {props.withDay ? format.dayTime(startMs) : format.time(startMs)}
      </div>
      <div role="cell" className={styles.root}>
        <Link
          to="/traces/$traceId"
          params={{ traceId: trace.traceId }}
          search={props.local ? { src: 'file' } : {}}
          className={styles.link}
          preload={false}
        >
          {trace.root ? (
            <>
              {trace.root.serviceName !== '' && <ServiceCode name={trace.root.serviceName} />}
              <span className={styles.rootService}>
                <PlainText text={trace.root.serviceName} />
              </span>
              <span className={styles.rootName}>
                <PlainText text={trace.root.name} />
              </span>
            </>
          ) : (
            <span className={styles.noRoot}>{t('noRoot')}</span>
          )}
        </Link>
      </div>
      <div role="cell" className={styles.duration} title={format.durationExact(trace.durationUs)}>
        <DurationBar durationUs={trace.durationUs} longestUs={props.longestUs} failed={trace.errorCount > 0} />
        <span>{format.duration(trace.durationUs)}</span>
      </div>
      <div role="cell" className={styles.spans}>
        {format.number(trace.spanCount)}
        <span className={styles.unit}>{t('spansUnit', { count: trace.spanCount })}</span>
      </div>
      <div role="cell" className={trace.errorCount > 0 ? styles.errors : styles.noErrors}>
        {trace.errorCount > 0 && <CircleAlert aria-hidden="true" />}
        {format.number(trace.errorCount)}
        <span className={styles.unit}>{t('errorsUnit', { count: trace.errorCount })}</span>
      </div>
      <div role="cell" className={styles.services} title={serviceNames(trace, format)}>
        {trace.services.slice(0, codesMax).map((service) => (
          <ServiceCode key={service.name} name={service.name} />
        ))}
        {trace.services.length > codesMax && (
          <span className={styles.more} aria-hidden="true">
            +{format.number(trace.services.length - codesMax)}
          </span>
        )}
        <span className="visually-hidden">{serviceNames(trace, format)}</span>
      </div>
    </>
  );
}

function serviceNames(trace: TraceSummary, format: Format): string {
  return format.list(trace.services.map(({ name }) => showInvisible(name)));
}

export function rootText(trace: TraceSummary, noRoot: string): string {
  return trace.root ? showInvisible(`${trace.root.serviceName} ${trace.root.name}`.trim()) : noRoot;
}

function DurationBar(props: { readonly durationUs: number; readonly longestUs: number; readonly failed: boolean }) {
  const share = props.longestUs > 0 ? props.durationUs / props.longestUs : 0;
  return (
    <span className={styles.track} aria-hidden="true">
      <span
        className={props.failed ? `${styles.bar} ${styles.barFailed}` : styles.bar}
        style={{ width: `${Math.max(0.75, 100 * share)}%` }}
      />
    </span>
  );
}

/** The services of an opened trace; a click keeps only the traces that have the service. */
export function ServicesRow(props: {
  readonly trace: TraceSummary;
  readonly chosen: readonly string[];
  readonly onChoose: (name: string) => void;
  readonly onSince: (() => void) | undefined;
}) {
  const { trace } = props;
  const { t } = useTranslation('search');
  const format = useFormat();
  return (
    <div role="cell" aria-colspan={7} className={styles.detail}>
      <ul className={styles.serviceList}>
        {trace.services.map((service) => (
          <li key={service.name}>
            <button
              type="button"
              className={styles.service}
              aria-pressed={props.chosen.includes(service.name)}
              onClick={() => props.onChoose(service.name)}
              title={t('serviceFilter', { name: showInvisible(service.name) })}
            >
              <ServiceTag name={service.name} />
              <span className={styles.serviceFacts}>
                {t('spans', { count: service.spanCount, number: format.number(service.spanCount) })}
                {' · '}
                {format.duration(service.maxDurationUs)}
                {service.criticalShare !== undefined && service.criticalShare > 0 && (
                  <> · {t('criticalShare', { share: format.percent(service.criticalShare) })}</>
                )}
              </span>
              {service.errorCount > 0 && (
                <span className={styles.errors}>
                  <CircleAlert aria-hidden="true" />
                  {t('errors', { count: service.errorCount, number: format.number(service.errorCount) })}
                </span>
              )}
            </button>
          </li>
        ))}
      </ul>
      <div className={styles.detailFoot}>
        <span className="mono">{trace.traceId}</span>
        {props.onSince && (
          <button type="button" className="button quiet small" onClick={props.onSince}>
            {t('searchSince', { time: format.time(trace.startUs / 1000) })}
          </button>
        )}
      </div>
    </div>
  );
}

/** The head of a group of traces. */
export function GroupRow(props: {
  readonly group: ResultGroup;
  readonly closed: boolean;
  readonly onToggle: () => void;
}) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const { name, stats } = props.group;
  return (
    <div role="cell" aria-colspan={7} className={styles.group}>
      <button type="button" className={styles.groupButton} aria-expanded={!props.closed} onClick={props.onToggle}>
        <ChevronRight aria-hidden="true" />
        <span className={styles.groupName}>{name === '' ? t('noRoot') : <PlainText text={name} />}</span>
        <span className={styles.groupFacts}>
          {t('groupFacts', {
            traces: t('traces', { count: stats.count, number: format.number(stats.count) }),
            p50: format.duration(stats.p50Us),
            p95: format.duration(stats.p95Us),
            errors: format.percent(stats.errorCount / stats.count),
          })}
        </span>
      </button>
    </div>
  );
}
