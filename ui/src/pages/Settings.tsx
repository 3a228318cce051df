import { useQuery } from '@tanstack/react-query';
import { Download, Trash2, Upload } from 'lucide-react';
import { type ReactNode, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { baseUrl } from '../api/base';
import { requestJson } from '../api/client';
import { uiSettings } from '../api/extensions';
import { currentLanguage, type Language, languageNames, languages, switchLanguage } from '../i18n';
import { ShortcutTable } from '../layout/Help';
import { Page } from '../layout/Page';
import { SavedWords } from '../search/SavedSearches';
import {
  mergeSaved,
  type Preferences,
  parseSaved,
  preferences,
  setPreferences,
  usePreferences,
} from '../settings/preferences';
import { setTheme, type ThemeChoice, useThemeChoice } from '../theme/theme';
import { download } from '../widgets/csv';
import { showInvisible } from '../widgets/invisible';
import { PlainText } from '../widgets/PlainText';
import styles from './Settings.module.css';

/** What this browser remembers, and what the server says of itself. */
export function Settings() {
  const { t } = useTranslation('settings');
  return (
    <Page title={t('title')} className={styles.page}>
      <h1>{t('title')}</h1>
      <Appearance />
      <Saved />
      <LinkPatterns />
      <Versions />
      <section className={styles.section}>
        <h2>{t('shortcuts')}</h2>
        <ShortcutTable />
      </section>
    </Page>
  );
}

function Appearance() {
  const { t } = useTranslation('settings');
  const theme = useThemeChoice();
  const { utc, density, shortcuts } = usePreferences();
  return (
    <section className={styles.section}>
      <h2>{t('appearance')}</h2>
      <Choice<ThemeChoice>
        label={t('theme')}
        value={theme}
        onChange={setTheme}
        options={[
          ['system', t('themeSystem')],
          ['light', t('themeLight')],
          ['dark', t('themeDark')],
        ]}
      />
      <Row label={t('language')}>
        {(id) => (
          <select
            id={id}
            className="field"
            value={currentLanguage()}
            onChange={({ target }) => void switchLanguage(target.value as Language)}
          >
            {languages.map((language) => (
              <option key={language} value={language}>
                {languageNames[language]}
              </option>
            ))}
          </select>
        )}
      </Row>
      <Choice<'local' | 'utc'>
        label={t('zone')}
        value={utc ? 'utc' : 'local'}
        onChange={(zone) => setPreferences({ utc: zone === 'utc' })}
        options={[
          ['local', t('zoneLocal', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })],
          ['utc', t('zoneUtc')],
        ]}
      />
      <Choice<Preferences['density']>
        label={t('density')}
        value={density}
        onChange={(next) => setPreferences({ density: next })}
        options={[
          ['compact', t('densityCompact')],
          ['comfortable', t('densityComfortable')],
        ]}
      />
      <Choice<'on' | 'off'>
        label={t('letters')}
        value={shortcuts ? 'on' : 'off'}
        onChange={(next) => setPreferences({ shortcuts: next === 'on' })}
        options={[
          ['on', t('lettersOn')],
          ['off', t('lettersOff')],
        ]}
      />
    </section>
  );
}

function Row(props: { readonly label: string; readonly children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className={styles.row}>
      <label htmlFor={id}>{props.label}</label>
      {props.children(id)}
    </div>
  );
}

function Choice<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <div className={styles.row} role="radiogroup" aria-labelledby={`${name}-label`}>
      <span id={`${name}-label`} className={styles.label}>
        {props.label}
      </span>
      <span className={styles.options}>
        {props.options.map(([value, label]) => (
          <label key={value} className={styles.option}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={props.value === value}
              onChange={() => props.onChange(value)}
            />
            {label}
          </label>
        ))}
      </span>
    </div>
  );
}

function Saved() {
  const { t } = useTranslation('settings');
  const { saved } = usePreferences();
  const input = useRef<HTMLInputElement>(null);
  const [message, setMessage] = useState('');
  const importFile = async (file: File | undefined) => {
    if (!file) return;
    const found = await readSaved(file);
    if (!found) return setMessage(t('importFailed', { name: showInvisible(file.name) }));
    setPreferences({ saved: mergeSaved(preferences().saved, found) });
    setMessage(t('imported', { count: found.length }));
  };
  return (
    <section className={styles.section}>
      <h2>{t('saved')}</h2>
      {saved.length === 0 ? (
        <p className="muted">{t('savedNone')}</p>
      ) : (
        <ul className={styles.saved}>
          {saved.map((one) => (
            <li key={one.name}>
              <span className={styles.savedName}>{showInvisible(one.name)}</span>
              <span className={styles.savedWords}>
                <SavedWords query={one.query} />
              </span>
              <button
                type="button"
                className="button quiet icon small"
                aria-label={t('savedRemove', { name: showInvisible(one.name) })}
                onClick={() => setPreferences({ saved: preferences().saved.filter(({ name }) => name !== one.name) })}
              >
                <Trash2 aria-hidden="true" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className={styles.buttons}>
        <button
          type="button"
          className="button"
          disabled={saved.length === 0}
          onClick={() => download('zipkin-searches.json', JSON.stringify(saved, null, 2), 'application/json')}
        >
          <Download aria-hidden="true" />
          {t('export')}
        </button>
        <button type="button" className="button" onClick={() => input.current?.click()}>
          <Upload aria-hidden="true" />
          {t('import')}
        </button>
        <input
          ref={input}
          type="file"
          accept="application/json,.json"
          hidden
          aria-label={t('import')}
          onChange={({ target }) => {
            void importFile(target.files?.[0]);
            target.value = '';
          }}
        />
        <span role="status">{message}</span>
      </div>
    </section>
  );
}

/** A list as the export writes it; undefined when the file holds none. */
async function readSaved(file: File) {
  if (file.size > 1024 * 1024) return undefined;
  try {
    const found = parseSaved(JSON.parse(await file.text()));
    return found.length > 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

function LinkPatterns() {
  const { t } = useTranslation('settings');
  const { linkPatterns } = uiSettings();
  return (
    <section className={styles.section}>
      <h2>{t('links')}</h2>
      {linkPatterns.length === 0 ? (
        <p className="muted">{t('linksNone')}</p>
      ) : (
        <div className={styles.scroll}>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">{t('linkTag')}</th>
                <th scope="col">{t('linkService')}</th>
                <th scope="col">{t('linkUrl')}</th>
                <th scope="col">{t('linkLabel')}</th>
              </tr>
            </thead>
            <tbody>
              {linkPatterns.map((pattern) => (
                <tr key={`${pattern.tag} ${pattern.service} ${pattern.url}`}>
                  <td className="mono">
                    <PlainText text={pattern.tag} />
                  </td>
                  <td>{pattern.service === undefined ? t('linkAny') : <PlainText text={pattern.service} />}</td>
                  <td className="mono">
                    <PlainText text={pattern.url} />
                  </td>
                  <td>
                    <PlainText text={pattern.label ?? ''} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Versions() {
  const { t } = useTranslation('settings');
  // Another base path is mapped by a proxy, and /info may not be.
  const mapped = baseUrl().pathname === '/zipkin/';
  const info = useQuery({
    queryKey: ['info'],
    queryFn: async ({ signal }) => serverVersion(await requestJson(new URL('../info', baseUrl()), { signal })),
    enabled: mapped,
  });
  const server = info.data ?? (info.isFetching ? '…' : t('versionUnknown'));
  const extensions = [...uiSettings().extensions];
  return (
    <section className={styles.section}>
      <h2>{t('versions')}</h2>
      <dl className={styles.facts}>
        <dt>{t('versionServer')}</dt>
        <dd>
          <PlainText text={server} />
        </dd>
        <dt>{t('versionUi')}</dt>
        <dd>{__UI_VERSION__}</dd>
        <dt>{t('extensions')}</dt>
        <dd>{extensions.length === 0 ? t('extensionsNone') : <PlainText text={extensions.join(', ')} />}</dd>
      </dl>
    </section>
  );
}

/** `3.6.1 (b2b0c98)` of `{"zipkin":{"version":…,"commit":…}}`. */
function serverVersion(data: unknown): string | undefined {
  const zipkin = (data as { zipkin?: { version?: unknown; commit?: unknown } } | null)?.zipkin;
  if (typeof zipkin?.version !== 'string') return undefined;
  return typeof zipkin.commit === 'string' ? `${zipkin.version} (${zipkin.commit})` : zipkin.version;
}
