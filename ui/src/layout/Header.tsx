import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import styles from './Header.module.css';

export function Header() {
  const { t } = useTranslation('common');
  const { config } = useConfig();
  return (
    <header className={styles.header}>
      <Link to="/" className={styles.brand}>
        {t('appName')}
      </Link>
      {config.environment !== '' && <span className={styles.environment}>{config.environment}</span>}
      <nav aria-label={t('navMain')} className={styles.nav}>
        <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
          {t('navSearch')}
        </Link>
        {config.dependency.enabled && <Link to="/dependency">{t('navMap')}</Link>}
        <Link to="/traceViewer">{t('navFile')}</Link>
        <Link to="/settings">{t('navSettings')}</Link>
      </nav>
    </header>
  );
}
