import { Outlet } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { usePreferences } from '../settings/preferences';
import { DropZone } from './DropZone';
import { Header } from './Header';
import styles from './Layout.module.css';

/** What every page has around it. */
export function Layout() {
  const { t } = useTranslation('common');
  const { density } = usePreferences();
  useEffect(() => {
    document.documentElement.dataset.density = density;
  }, [density]);
  const skip = () => document.getElementById('content')?.focus();
  return (
    <>
      {/* A button, not a fragment link: with a base address a link to #content would leave the page. */}
      <button type="button" className={styles.skip} onClick={skip}>
        {t('skipToContent')}
      </button>
      <Header />
      <ConfigNotice />
      <Outlet />
      <DropZone />
    </>
  );
}

/** A failed config.json does not stop the page, but it is told. */
function ConfigNotice() {
  const { t } = useTranslation('common');
  const { failed } = useConfig();
  const [dismissed, setDismissed] = useState(false);
  if (!failed || dismissed) return null;
  return (
    <div className={styles.notice} role="status">
      <span>{t('configFailed')}</span>
      <button type="button" className="button small" onClick={() => setDismissed(true)}>
        {t('dismiss')}
      </button>
    </div>
  );
}
