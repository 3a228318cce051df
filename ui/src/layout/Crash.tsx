import type { ErrorComponentProps } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ErrorPanel } from '../widgets/StatePanel';

/** Shown in place of a page whose code threw, or whose chunk is gone after an upgrade of the server. */
export function Crash({ error }: ErrorComponentProps) {
  const { t } = useTranslation('common');
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
