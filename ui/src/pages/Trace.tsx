import { useParams } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { plain } from '../address/traceId';
import { RequestError } from '../api/client';
import { uiSettings } from '../api/extensions';
import { useFormat } from '../i18n/format';
import { Page } from '../layout/Page';
import { BadTraceId, NotStored, TooLarge } from '../trace/Absent';
import { TracePage } from '../trace/TracePage';
import styles from '../trace/TracePage.module.css';
import { useOpenTrace } from '../trace/useOpenTrace';
import { useTraceAddress } from '../trace/useTraceAddress';
import { ErrorPanel, LoadingPanel } from '../widgets/StatePanel';

/** One trace: an id that cannot be one is told without asking the server. */
export function Trace() {
  const { t } = useTranslation('trace');
  const { traceId: asked = '' } = useParams({ strict: false });
  const traceId = plain(asked);
  if (traceId === undefined) {
    return (
      <Page title={t('title')} className={styles.page}>
        <BadTraceId asked={asked} />
      </Page>
    );
  }
  return <KnownTrace key={traceId} traceId={traceId} />;
}

function KnownTrace({ traceId }: { traceId: string }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { address, update, flush } = useTraceAddress();
  const { state, reload } = useOpenTrace(traceId, address.source, uiSettings().maxTraceBytes);
  const frame = (content: React.ReactNode) => (
    <Page title={`${t('title')} ${traceId}`} className={styles.page}>
      <h1 className="visually-hidden">
        {t('title')} {traceId}
      </h1>
      {content}
    </Page>
  );
  switch (state.status) {
    case 'loading':
      return frame(
        <LoadingPanel
          label={t('loading', { traceId })}
          {...(state.progress && { progress: state.progress })}
          onCancel={state.cancel}
        />,
      );
    case 'cancelled':
      return frame(
        <ErrorPanel title={t('cancelled')} error={new Error(t('cancelledText'))} onRetry={() => reload()} />,
      );
    case 'failed': {
      const { error } = state;
      if (error instanceof RequestError && error.status === 404) {
        return frame(<NotStored traceId={traceId} source={address.source} onRetry={() => reload()} />);
      }
      if (error instanceof RequestError && error.kind === 'size') {
        return frame(
          <TooLarge size={format.bytes(Number(error.reason))} onOpen={() => reload(Number.POSITIVE_INFINITY)} />,
        );
      }
      return frame(<ErrorPanel title={t('failed')} error={error} onRetry={() => reload()} />);
    }
    case 'ready':
      if (state.trace.layout.spanCount === 0) {
        return frame(<NotStored traceId={traceId} source={address.source} onRetry={() => reload()} />);
      }
      return (
        <TracePage trace={state.trace} address={address} update={update} flush={flush} onReload={() => reload()} />
      );
  }
}
