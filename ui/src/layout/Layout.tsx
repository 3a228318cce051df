import { Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Header } from './Header';
import styles from './Layout.module.css';

/** What every page has around it. */
export function Layout() {
  const { t } = useTranslation('common');
  const skip = () => document.getElementById('content')?.focus();
  return (
    <>
      {/* A button, not a fragment link: with a base address a link to #content would leave the page. */}
      <button type="button" className={styles.skip} onClick={skip}>
        {t('skipToContent')}
      </button>
      <Header />
      <Outlet />
    </>
  );
}
