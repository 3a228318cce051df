import { Archive, Braces, Copy, Download, EllipsisVertical, FileText, Hash, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { fillUrl, type HttpUrl } from '../api/links';
import { CopyButton } from '../widgets/CopyButton';
import { SafeLink } from '../widgets/SafeLink';
import { saveJson } from './download';
import { MenuItem, menuItemClass, Popup } from './Popup';
import styles from './TraceHeader.module.css';
import type { TraceView } from './useTraceView';

type Notice =
  | { readonly kind: 'busy' | 'done'; readonly text: string; readonly link?: HttpUrl }
  | { readonly kind: 'failed'; readonly text: string };

/** What can be done with the whole trace. What came of it is told beside the button, until it is dismissed. */
export function TraceMenu({ view, copyLink }: { view: TraceView; copyLink: () => string }) {
  const { t } = useTranslation('trace');
  const { config } = useConfig();
  const [notice, setNotice] = useState<Notice>();
  const { traceId } = view.layout;
  const logs = fillUrl(config.logsUrl, { traceId });
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setNotice({ kind: 'done', text: t('copied') });
    } catch {
      setNotice({ kind: 'failed', text: t('copyFailed', { text }) });
    }
  };
  const save = async (form: 'raw' | 'corrected') => {
    const bytes = await view.trace.call('json', view.layout.split, { form });
    saveJson(bytes, form === 'raw' ? `${traceId}.json` : `${traceId}-corrected.json`);
  };
  const archive = async () => {
    setNotice({ kind: 'busy', text: t('archiving') });
    setNotice(await archived(view, config.archivePostUrl!, config.archiveUrl, t));
  };
  const choose = (close: () => void, action: () => unknown) => () => {
    close();
    void action();
  };
  return (
    <div className={styles.menu}>
      {notice && <NoticeLine notice={notice} onClose={() => setNotice(undefined)} />}
      <CopyButton text={copyLink} label={t('copyLink')} />
      <Popup
        menu
        end
        className="button quiet icon"
        name={t('menuLabel')}
        label={<EllipsisVertical aria-hidden="true" />}
      >
        {(close) => (
          <>
            <MenuItem icon={<Copy aria-hidden="true" />} onChoose={choose(close, () => copy(copyLink()))}>
              {t('copyLink')}
            </MenuItem>
            <MenuItem icon={<Hash aria-hidden="true" />} onChoose={choose(close, () => copy(traceId))}>
              {t('copyTraceId')}
            </MenuItem>
            <MenuItem icon={<Download aria-hidden="true" />} onChoose={choose(close, () => save('raw'))}>
              {t('downloadJson')}
            </MenuItem>
            {view.layout.skews.length > 0 && (
              <MenuItem icon={<Braces aria-hidden="true" />} onChoose={choose(close, () => save('corrected'))}>
                {t('downloadCorrected')}
              </MenuItem>
            )}
            {logs && (
              <a
                role="menuitem"
                tabIndex={-1}
                href={logs}
                target="_blank"
                rel="noopener noreferrer"
                className={menuItemClass}
              >
                <FileText aria-hidden="true" />
                <span>{t('logs')}</span>
              </a>
            )}
            {config.archivePostUrl && (
              <MenuItem icon={<Archive aria-hidden="true" />} onChoose={choose(close, archive)}>
                {t('archive')}
              </MenuItem>
            )}
          </>
        )}
      </Popup>
    </div>
  );
}

type Translate = ReturnType<typeof useTranslation<'trace'>>['t'];

/** Sends the trace, marked as archived, to the operator's archive. Any 2xx is success. */
async function archived(
  view: TraceView,
  postUrl: HttpUrl,
  archiveUrl: string | undefined,
  t: Translate,
): Promise<Notice> {
  try {
    const body = await view.trace.call('json', view.layout.split, { form: 'archived' });
    const answer = await fetch(postUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    if (!answer.ok) {
      const reason = (await answer.text().catch(() => '')).trim().slice(0, 200) || answer.statusText;
      return { kind: 'failed', text: t('archiveFailed', { status: answer.status, reason }) };
    }
    const link = fillUrl(archiveUrl, { traceId: view.layout.traceId });
    return { kind: 'done', text: t('archived'), ...(link && { link }) };
  } catch (error) {
    return {
      kind: 'failed',
      text: t('archiveUnreachable', { reason: error instanceof Error ? error.message : String(error) }),
    };
  }
}

/** Good news leave by themselves. */
const DONE_SHOWN_MS = 4_000;

function NoticeLine({ notice, onClose }: { notice: Notice; onClose: () => void }) {
  const { t } = useTranslation('trace');
  const leaves = notice.kind === 'done' && !notice.link;
  useEffect(() => {
    if (!leaves) return;
    const timer = setTimeout(onClose, DONE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [leaves, onClose]);
  return (
    <span
      className={notice.kind === 'failed' ? styles.failed : styles.notice}
      role={notice.kind === 'failed' ? 'alert' : 'status'}
    >
      {notice.text}
      {notice.kind === 'done' && notice.link && <SafeLink href={notice.link}>{t('openArchive')}</SafeLink>}
      {notice.kind !== 'busy' && (
        <button type="button" className="button quiet small icon" aria-label={t('dismiss')} onClick={onClose}>
          <X aria-hidden="true" />
        </button>
      )}
    </span>
  );
}
