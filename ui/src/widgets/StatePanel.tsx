import { CircleAlert, Inbox } from 'lucide-react';
import { type ReactNode, useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Progress, RequestError } from '../api/client';
import { useFormat } from '../i18n/format';
import { CopyButton } from './CopyButton';
import styles from './StatePanel.module.css';

/** Progress is not shown for waits that are over before anyone could read it. */
const shownAfterMs = 200;

/** A region that waits: nothing for 200 ms, then what is loaded, how far, and how to stop. */
export function LoadingPanel(props: {
  readonly label: string;
  readonly progress?: Progress | undefined;
  readonly onCancel?: (() => void) | undefined;
}) {
  const { t } = useTranslation('common');
  const format = useFormat();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), shownAfterMs);
    return () => clearTimeout(timer);
  }, []);
  if (!shown) return <div className={styles.panel} aria-busy="true" />;
  const { receivedBytes, totalBytes } = props.progress ?? {};
  return (
    <div className={styles.panel} aria-busy="true">
      <p role="status">{props.label}</p>
      <progress className={styles.bar} aria-label={props.label} value={receivedBytes} max={totalBytes ?? undefined} />
      {receivedBytes !== undefined && (
        <p className="muted">
          {totalBytes === undefined
            ? format.bytes(receivedBytes)
            : t('bytesOf', { received: format.bytes(receivedBytes), total: format.bytes(totalBytes) })}
        </p>
      )}
      {props.onCancel && (
        <button type="button" className="button" onClick={props.onCancel}>
          {t('cancel')}
        </button>
      )}
    </div>
  );
}

/** A region without content: says what was looked for and what to try. */
export function EmptyPanel(props: {
  readonly title: string;
  /** The title is the page's heading. */
  readonly main?: boolean;
  readonly children?: ReactNode;
  readonly icon?: ReactNode;
}) {
  return (
    <div className={styles.panel} role="status">
      <span className={styles.icon}>{props.icon ?? <Inbox aria-hidden="true" />}</span>
      {props.main ? <h1 className={styles.title}>{props.title}</h1> : <p className={styles.title}>{props.title}</p>}
      {props.children}
    </div>
  );
}

/** What can be done about it, side by side. */
export function PanelActions({ children }: { readonly children: ReactNode }) {
  return <div className={styles.actions}>{children}</div>;
}

/** A region that could not be loaded: what failed, the server's reason, Retry, and details to copy. */
export function ErrorPanel(props: {
  readonly title: string;
  readonly error: unknown;
  readonly onRetry?: (() => void) | undefined;
  readonly children?: ReactNode;
}) {
  const { t } = useTranslation('common');
  const id = useId();
  const reason = useReason(props.error);
  const details = detailsOf(props.error);
  return (
    <section className={styles.panel} role="alert" aria-labelledby={id}>
      <span className={styles.errorIcon}>
        <CircleAlert aria-hidden="true" />
      </span>
      <p className={styles.title} id={id}>
        {props.title}
      </p>
      <p className={styles.reason}>{reason}</p>
      {props.children}
      <div className={styles.actions}>
        {props.onRetry && (
          <button type="button" className="button primary" onClick={props.onRetry}>
            {t('retry')}
          </button>
        )}
        <CopyButton text={details} label={t('copyDetails')} showLabel />
      </div>
    </section>
  );
}

/** The reason in words: what the server said, or what our side saw. */
export function useReason(error: unknown): string {
  const { t } = useTranslation('common');
  const format = useFormat();
  if (!(error instanceof RequestError)) return error instanceof Error ? error.message : String(error);
  switch (error.kind) {
    case 'status':
      return error.reason === ''
        ? t('failedStatus', { status: error.status })
        : t('failedStatusReason', { status: error.status, reason: error.reason });
    case 'timeout':
      return t('failedTimeout', { time: format.duration(Number(error.reason) * 1000) });
    case 'network':
      return t('failedNetwork');
    case 'format':
      return t('failedFormat', { reason: error.reason });
    case 'size':
      return t('failedSize', { size: format.bytes(Number(error.reason)) });
  }
}

function detailsOf(error: unknown): string {
  const at = new Date().toISOString();
  if (!(error instanceof RequestError)) return `${at}\n${error instanceof Error ? error.stack : String(error)}`;
  return `${at}\n${error.kind} ${error.status}\n${error.url}\n${error.reason}\n${navigator.userAgent}`;
}
