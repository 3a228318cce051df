import { Link } from '@tanstack/react-router';
import { Star, Trash2 } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatRaw, parseRaw } from '../address/raw';
import { formatSearch, parseSearch, type SearchAddress } from '../address/search';
import {
  preferences,
  type SavedSearch,
  savedSearchesMax,
  setPreferences,
  usePreferences,
} from '../settings/preferences';
import { CopyButton } from '../widgets/CopyButton';
import { Dialog } from '../widgets/Dialog';
import { showInvisible } from '../widgets/invisible';
import { useFilterText } from './filterText';
import { relative } from './request';
import styles from './SavedSearches.module.css';
import { filtersOf } from './suggest';

/** The query part of a search as it is kept: a relative window stays relative, the view of the results is left out. */
export function toSaved(search: SearchAddress): string {
  const { brush: _, lookback, ...rest } = search;
  return formatRaw(formatSearch({ ...rest, ...(lookback && { lookback: relative(lookback) }), unknown: {} }));
}

/** Keep a search under a name, and go back to one. */
export function SavedSearches(props: {
  readonly search: SearchAddress;
  readonly onRun: (search: SearchAddress) => void;
}) {
  const { t } = useTranslation('search');
  const { saved } = usePreferences();
  const [open, setOpen] = useState(false);
  const isSaved = saved.some(({ query }) => query === toSaved(props.search));
  return (
    <>
      <button type="button" className="button quiet" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Star aria-hidden="true" fill={isSaved ? 'currentColor' : 'none'} />
        {t('saved')}
      </button>
      <CopyButton text={() => location.href} label={t('copyLink')} />
      {open && (
        <Dialog title={t('savedTitle')} onClose={() => setOpen(false)}>
          <SaveForm search={props.search} saved={saved} />
          <SavedList
            saved={saved}
            onRun={(query) => {
              setOpen(false);
              props.onRun(parseSearch(parseRaw(query)));
            }}
          />
          <p className={styles.foot}>
            <Link to="/settings" onClick={() => setOpen(false)}>
              {t('savedManage')}
            </Link>
          </p>
        </Dialog>
      )}
    </>
  );
}

function SaveForm(props: { readonly search: SearchAddress; readonly saved: readonly SavedSearch[] }) {
  const { t } = useTranslation('search');
  const { chipText } = useFilterText();
  const id = useId();
  const [name, setName] = useState(() => filtersOf(props.search).map(chipText).join(', ').slice(0, 80));
  const trimmed = name.trim();
  const replaces = props.saved.some((one) => one.name === trimmed);
  const full = !replaces && props.saved.length >= savedSearchesMax;
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (trimmed === '' || full) return;
    const others = preferences().saved.filter((one) => one.name !== trimmed);
    setPreferences({ saved: [{ name: trimmed, query: toSaved(props.search) }, ...others] });
  };
  return (
    <form className={styles.form} onSubmit={save}>
      <label htmlFor={id}>{t('savedName')}</label>
      <input id={id} className="field" value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="button primary" disabled={trimmed === '' || full}>
        {replaces ? t('savedReplace') : t('savedSave')}
      </button>
      {full && <p className={styles.full}>{t('savedFull')}</p>}
    </form>
  );
}

function SavedList(props: { readonly saved: readonly SavedSearch[]; readonly onRun: (query: string) => void }) {
  const { t } = useTranslation('search');
  if (props.saved.length === 0) return <p className="muted">{t('savedEmpty')}</p>;
  return (
    <ul className={styles.list}>
      {props.saved.map(({ name, query }) => (
        <li key={name}>
          <button type="button" className={styles.run} onClick={() => props.onRun(query)}>
            <span className={styles.name}>{showInvisible(name)}</span>
            <span className={styles.query}>
              <SavedWords query={query} />
            </span>
          </button>
          <button
            type="button"
            className="button quiet icon"
            aria-label={t('savedRemove', { name: showInvisible(name) })}
            onClick={() => setPreferences({ saved: preferences().saved.filter((one) => one.name !== name) })}
          >
            <Trash2 aria-hidden="true" />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** A saved search in words. */
export function SavedWords({ query }: { readonly query: string }) {
  const { t } = useTranslation('search');
  const { chipText } = useFilterText();
  const words = filtersOf(parseSearch(parseRaw(query))).map(chipText);
  return words.length === 0 ? t('allTraces') : words.join(' · ');
}
