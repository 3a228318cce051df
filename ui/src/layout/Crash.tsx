import type { ErrorComponentProps } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ErrorPanel } from '../widgets/StatePanel';
import { mayReload, reloadOnce } from './missingChunk';

/** Shown in place of a page whose code threw, or whose chunk is gone after an upgrade of the server. */
export function Crash({ error }: ErrorComponentProps) {
  const { t } = useTranslation('common');
  const [reloads, setReloads] = useState(() => mayReload(error));
  useEffect(() => {
    if (reloads && !reloadOnce()) setReloads(false);
  }, [reloads]);
  if (reloads) return null;
  return (
    <main id="content" tabIndex={-1}>
      <h1 className="visually-hidden">{t('crashTitle')}</h1>
      <ErrorPanel title={t('crashTitle')} error={error}>
        <p className="muted">{t('crashText')}</p>
        <button type="button" className="button primary" onClick={() => location.reload()}>
          {t('reload')}
        </button>
      </ErrorPanel>
    </main>
  );
}
