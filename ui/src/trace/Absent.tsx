import { Link } from '@tanstack/react-router';
import { FileQuestion, Weight } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { fillUrl } from '../api/links';
import { showInvisible } from '../widgets/invisible';
import { SafeLink } from '../widgets/SafeLink';
import { EmptyPanel, PanelActions } from '../widgets/StatePanel';
import type { TraceSource } from './openTraces';

/** What is in the address cannot be a trace id. */
export function BadTraceId({ asked }: { asked: string }) {
  const { t } = useTranslation('trace');
  return (
    <>
      <h1 className="visually-hidden">{t('badId')}</h1>
      <EmptyPanel title={t('badId')} icon={<FileQuestion aria-hidden="true" />}>
        <p className="mono">{showInvisible(asked)}</p>
        <p className="muted">{t('badIdText')}</p>
        <ToSearch />
      </EmptyPanel>
    </>
  );
}

/** Seconds after which a trace that is not there is asked for again. */
const RETRIES_S = [2, 5, 8] as const;
/** How often each id was asked again without success, while the page is open. */
const retried = new Map<string, number>();

/** The trace is not stored, perhaps not yet: asked for three times more within 15 seconds. */
export function NotStored(props: { traceId: string; source: TraceSource; onRetry: () => void }) {
  const { traceId, source, onRetry } = props;
  const { t } = useTranslation('trace');
  const { config } = useConfig();
  const wait = source === 'server' ? RETRIES_S[retried.get(traceId) ?? 0] : undefined;
  const left = useCountdown(wait, () => {
    retried.set(traceId, (retried.get(traceId) ?? 0) + 1);
    onRetry();
  });
  const logs = fillUrl(config.logsUrl, { traceId });
  const again = () => {
    retried.delete(traceId);
    onRetry();
  };
  return (
    <EmptyPanel
      title={source === 'file' ? t('notInBrowser') : t('notStored')}
      icon={<FileQuestion aria-hidden="true" />}
    >
      <p className="mono">{traceId}</p>
      <p className="muted">{source === 'file' ? t('notInBrowserText') : t('notStoredText')}</p>
      {left !== undefined && <p aria-live="off">{t('askedAgainIn', { count: left })}</p>}
      <PanelActions>
        {source === 'server' && (
          <button type="button" className="button primary" onClick={again}>
            {t('askNow')}
          </button>
        )}
        <ToSearch />
        {source === 'file' && (
          <Link to="/traceViewer" className="button">
            {t('openFile')}
          </Link>
        )}
        {logs && (
          <SafeLink href={logs} className="button">
            {t('logs')}
          </SafeLink>
        )}
      </PanelActions>
    </EmptyPanel>
  );
}

/** Counts down whole seconds, then acts once; undefined when there is nothing to wait for. */
function useCountdown(seconds: number | undefined, onEnd: () => void): number | undefined {
  const [left, setLeft] = useState(seconds);
  const end = useRef(onEnd);
  end.current = onEnd;
  useEffect(() => {
    if (left === undefined) return;
    const timer = setTimeout(() => (left <= 1 ? end.current() : setLeft(left - 1)), 1_000);
    return () => clearTimeout(timer);
  }, [left]);
  return left;
}

/** The trace is so large that drawing it may take a while: the reader decides. */
export function TooLarge({ size, onOpen }: { size: string; onOpen: () => void }) {
  const { t } = useTranslation('trace');
  return (
    <EmptyPanel title={t('tooLarge', { size })} icon={<Weight aria-hidden="true" />}>
      <p className="muted">{t('tooLargeText')}</p>
      <PanelActions>
        <button type="button" className="button primary" onClick={onOpen}>
          {t('openAnyway')}
        </button>
        <ToSearch />
      </PanelActions>
    </EmptyPanel>
  );
}

function ToSearch() {
  const { t } = useTranslation('common');
  return (
    <Link to="/" className="button">
      {t('backToSearch')}
    </Link>
  );
}
