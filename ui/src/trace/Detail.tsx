import { Crosshair, FileText, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { fillUrl } from '../api/links';
import { type Format, useFormat } from '../i18n/format';
import {
  FLAG_ASYNC,
  FLAG_CYCLE,
  FLAG_ERROR,
  FLAG_EXTRA_ROOT,
  FLAG_HALVES,
  FLAG_ORPHAN,
  FLAG_VIRTUAL,
  FLAG_WARNING,
} from '../model/layout';
import { CopyButton } from '../widgets/CopyButton';
import { PlainText } from '../widgets/PlainText';
import { SafeLink } from '../widgets/SafeLink';
import styles from './Detail.module.css';
import { HalfFacts } from './HalfFacts';
import { looksOf } from './look';
import { shareText } from './share';
import { useCall } from './useCall';
import type { TraceView } from './useTraceView';
import { zoomToRow } from './zoom';

/** All that is known of the selected row. */
export function Detail(props: {
  readonly view: TraceView;
  readonly onClose: () => void;
  readonly onCopyLink: () => string;
}) {
  const { view } = props;
  const { layout, selected: row } = view;
  const { t } = useTranslation('trace');
  const virtual = (layout.flags[row]! & FLAG_VIRTUAL) !== 0;
  const { value: halves, current } = useCall(view.trace, 'detail', layout.split, virtual ? undefined : { row });
  const look = looksOf(layout)[layout.service[row]!]!;
  const service = layout.services[layout.service[row]!]!;
  const operation = layout.operations[layout.operation[row]!]!;
  return (
    <section className={styles.detail} aria-label={t('detailLabel')} id="span-detail" tabIndex={-1}>
      <header className={`${styles.head} ${look.className}`}>
        <h2 className={styles.title}>
          {virtual ? (
            t('missingRoot')
          ) : (
            <>
              <span className={styles.service}>{service === '' ? t('noService') : <PlainText text={service} />}</span>{' '}
              <span className={styles.operation}>
                <PlainText text={operation} />
              </span>
            </>
          )}
        </h2>
        <button type="button" className="button quiet small icon" aria-label={t('closeDetail')} onClick={props.onClose}>
          <X aria-hidden="true" />
        </button>
      </header>
      <div className={styles.scroll}>
        {virtual ? (
          <p className={styles.note}>{t('missingRootText')}</p>
        ) : (
          <>
            <Notes view={view} />
            <Facts view={view} />
            <Actions view={view} onCopyLink={props.onCopyLink} />
            {halves?.map((half) => (
              <HalfFacts key={half.span} view={view} half={half} alone={halves.length === 1} stale={!current} />
            ))}
          </>
        )}
      </div>
    </section>
  );
}

/** What is wrong or unusual with the row, in words. */
function Notes({ view: { layout, selected: row } }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const flags = layout.flags[row]!;
  const notes: [boolean, ReactNode, string][] = [
    [(flags & FLAG_ERROR) !== 0, t('errorText'), styles.bad!],
    [(flags & FLAG_WARNING) !== 0, t('warningText'), styles.odd!],
    [(flags & FLAG_ORPHAN) !== 0, t('orphanText'), styles.odd!],
    [(flags & FLAG_CYCLE) !== 0, t('cycleText'), styles.odd!],
    [(flags & FLAG_EXTRA_ROOT) !== 0, t('extraRootText'), styles.odd!],
    [(flags & FLAG_ASYNC) !== 0, t('asyncText'), styles.plain!],
  ];
  return notes.map(([applies, text, kind]) =>
    applies ? (
      <p key={kind + String(text)} className={`${styles.note} ${kind}`}>
        {text}
      </p>
    ) : null,
  );
}

function Facts({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { layout, times, selected: row } = view;
  const start = times.start[row]!;
  const duration = layout.duration[row]!;
  const critical = layout.critical.share[row]!;
  const network = layout.flags[row]! & FLAG_HALVES ? duration - layout.innerDuration[row]! : Number.NaN;
  const below = layout.size[row]! - 1;
  return (
    <dl className={styles.facts}>
      <Fact label={t('factDuration')} us={duration} format={format} strong />
      <Fact label={t('factStart')} us={start} format={format} prefix="+" />
      <Fact label={t('factSelf')} us={layout.self[row]!} format={format} share={layout.self[row]! / duration} />
      {network >= 0 && <Fact label={t('factNetwork')} us={network} format={format} share={network / duration} />}
      {critical > 0 && (
        <Fact
          label={t('factCritical')}
          us={critical}
          format={format}
          share={critical / layout.critical.totalUs}
          shareTitle={t('shareOfTrace')}
        />
      )}
      {below > 0 && (
        <div>
          <dt>{t('factBelow')}</dt>
          <dd>
            {format.number(below)}
            {layout.errorsBelow[row]! > 0 && (
              <span className={styles.errorCount}> {t('errorCount', { count: layout.errorsBelow[row]! })}</span>
            )}
          </dd>
        </div>
      )}
    </dl>
  );
}

function Fact(props: {
  label: string;
  us: number;
  format: Format;
  prefix?: string;
  share?: number;
  shareTitle?: string;
  strong?: boolean;
}) {
  const { us, format, share } = props;
  if (Number.isNaN(us)) return null;
  return (
    <div>
      <dt>{props.label}</dt>
      <dd className={props.strong ? styles.strong : undefined} title={format.durationExact(us)}>
        {props.prefix}
        {format.duration(us)}
        {share !== undefined && share >= 0 && share <= 1 && (
          <span className={styles.share} title={props.shareTitle}>
            {shareText(format, share)}
          </span>
        )}
      </dd>
    </div>
  );
}

function Actions({ view, onCopyLink }: { view: TraceView; onCopyLink: () => string }) {
  const { t } = useTranslation('trace');
  const { config } = useConfig();
  const { layout, selected: row, focus } = view;
  const logs = fillUrl(config.logsUrl, { traceId: layout.traceId });
  return (
    <div className={styles.actions}>
      <button type="button" className="button small" onClick={() => zoomToRow(view, row)}>
        <Crosshair aria-hidden="true" />
        {t('zoomToSpan')}
      </button>
      {layout.size[row]! > 1 && (
        <button
          type="button"
          className="button small"
          aria-pressed={focus === row}
          onClick={() => view.setFocus(focus === row ? -1 : row)}
        >
          {t('focusSpan')}
        </button>
      )}
      <CopyButton text={onCopyLink} label={t('copyLink')} small />
      {logs && (
        <SafeLink href={logs} className="button small">
          <FileText aria-hidden="true" />
          {t('logs')}
        </SafeLink>
      )}
    </div>
  );
}
