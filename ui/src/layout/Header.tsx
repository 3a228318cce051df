import { Link, useNavigate } from '@tanstack/react-router';
import { CircleHelp, FolderOpen, Keyboard, Moon, Network, Search, Settings, Sun, SunMoon } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfig } from '../api/config';
import { currentLanguage, type Language, languageNames, languages, switchLanguage } from '../i18n';
import { setTheme, type ThemeChoice, useThemeChoice } from '../theme/theme';
import styles from './Header.module.css';
import { Logo } from './Logo';
import { useShortcuts } from './shortcuts';
import { focusTraceIdBox, TraceIdBox } from './TraceIdBox';

const Help = lazy(() => import('./Help'));
const nextTheme: Record<ThemeChoice, ThemeChoice> = { system: 'light', light: 'dark', dark: 'system' };

/** The bar above every page: where one can go, the trace-id box, and what concerns the whole application. */
export function Header() {
  const { t } = useTranslation('common');
  const { config } = useConfig();
  const navigate = useNavigate();
  const theme = useThemeChoice();
  const [help, setHelp] = useState(false);
  const switchTheme = () => setTheme(nextTheme[theme]);
  useShortcuts({
    'g s': () => navigate({ to: '/' }),
    'g m': () => navigate({ to: '/dependency' }),
    'g t': focusTraceIdBox,
    '/': focusSearchBox,
    '?': () => setHelp(true),
    t: switchTheme,
  });
  const ThemeIcon = theme === 'system' ? SunMoon : theme === 'light' ? Sun : Moon;
  const themeLabel = { system: t('themeSystem'), light: t('themeLight'), dark: t('themeDark') }[theme];
  return (
    <header className={styles.header}>
      <Link to="/" className={styles.brand} aria-label={t('appName')}>
        <Logo />
        <span>{t('appName')}</span>
      </Link>
      {config.environment !== '' && <span className={styles.environment}>{config.environment}</span>}
      <nav aria-label={t('navMain')} className={styles.nav}>
        <Link to="/" activeOptions={{ exact: true, includeSearch: false }} className={styles.tab}>
          <Search aria-hidden="true" />
          <span>{t('navSearch')}</span>
        </Link>
        {config.dependency.enabled && (
          <Link to="/dependency" activeOptions={{ includeSearch: false }} className={styles.tab}>
            <Network aria-hidden="true" />
            <span>{t('navMap')}</span>
          </Link>
        )}
      </nav>
      <TraceIdBox />
      <div className={styles.tools}>
        <Link to="/traceViewer" className="button quiet icon" aria-label={t('navFile')} title={t('navFile')}>
          <FolderOpen aria-hidden="true" />
        </Link>
        <button
          type="button"
          className="button quiet icon"
          onClick={switchTheme}
          aria-label={t('themeSwitch', { theme: themeLabel })}
          title={t('themeSwitch', { theme: themeLabel })}
        >
          <ThemeIcon aria-hidden="true" />
        </button>
        <LanguageSelect />
        <Link to="/settings" className="button quiet icon" aria-label={t('navSettings')} title={t('navSettings')}>
          <Settings aria-hidden="true" />
        </Link>
        <button
          type="button"
          className={`button quiet icon ${styles.keyboard}`}
          onClick={() => setHelp(true)}
          aria-label={t('shortcuts')}
          title={t('shortcuts')}
        >
          <Keyboard aria-hidden="true" />
        </button>
        {config.supportUrl && (
          <a
            href={config.supportUrl}
            target="_blank"
            rel="noopener noreferrer"
            className="button quiet icon"
            aria-label={t('support')}
            title={t('support')}
          >
            <CircleHelp aria-hidden="true" />
          </a>
        )}
      </div>
      {help && (
        <Suspense fallback={null}>
          <Help onClose={() => setHelp(false)} />
        </Suspense>
      )}
    </header>
  );
}

function LanguageSelect() {
  const { t } = useTranslation('common');
  return (
    <select
      className={styles.language}
      aria-label={t('language')}
      title={t('language')}
      value={currentLanguage()}
      onChange={(event) => void switchLanguage(event.target.value as Language)}
    >
      {languages.map((language) => (
        <option key={language} value={language}>
          {languageNames[language]}
        </option>
      ))}
    </select>
  );
}

/** The box a page searches with; without one the trace-id box. */
function focusSearchBox(): void {
  const box = document.querySelector<HTMLElement>('[data-search-box]');
  if (box) box.focus();
  else focusTraceIdBox();
}
