import { ChevronDown, ChevronUp, Filter, Search, X } from 'lucide-react';
import { type KeyboardEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { binarySearch } from '../model/collapse';
import styles from './FindBox.module.css';
import type { TraceView } from './useTraceView';

/** Find in the trace: the worker looks, this box steps through what it found. */
export function FindBox({ view }: { readonly view: TraceView }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { address, update, found, selected } = view;
  const [help, setHelp] = useState(false);
  const count = found.rows?.length ?? 0;
  const at = found.matching?.[selected] === 1 ? binarySearch(found.rows!, selected) + 1 : 0;
  const wanted = address.find.trim();
  const asked = wanted !== '';
  // Enter right after typing is for what was typed, which the worker has yet to find.
  const [due, setDue] = useState<{ query: string; direction: 1 | -1 }>();
  const { step } = view;
  useEffect(() => {
    if (!due || (due.query === wanted && found.query !== wanted)) return;
    setDue(undefined);
    if (due.query === wanted) step('match', due.direction);
  }, [due, wanted, found, step]);
  const onKeyDown = (event: KeyboardEvent) => {
    const direction = event.shiftKey ? -1 : 1;
    if (event.key === 'Enter' && asked && found.query !== wanted) setDue({ query: wanted, direction });
    else if (event.key === 'Enter') step('match', direction);
    else if (event.key === 'Escape' && asked) update({ find: '', matchesOnly: false });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const status =
    !asked || !found.rows ? '' : count === 0 ? t('findNone') : t('findCount', { count, at: format.number(at) });
  return (
    <search className={styles.find}>
      <div className={styles.box}>
        <Search aria-hidden="true" />
        <input
          type="text"
          className={styles.input}
          data-search-box=""
          value={address.find}
          placeholder={t('findPlaceholder')}
          aria-label={t('findLabel')}
          aria-describedby="find-help"
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => update({ find: event.target.value })}
          onKeyDown={onKeyDown}
          onFocus={() => setHelp(true)}
          onBlur={() => setHelp(false)}
        />
        <span className={styles.count} role="status">
          {status}
        </span>
        {asked && (
          <>
            <Button label={t('previousMatch')} disabled={count === 0} onPress={() => view.step('match', -1)}>
              <ChevronUp aria-hidden="true" />
            </Button>
            <Button label={t('nextMatch')} disabled={count === 0} onPress={() => view.step('match', 1)}>
              <ChevronDown aria-hidden="true" />
            </Button>
            <button
              type="button"
              className="button quiet small icon"
              aria-label={t('matchesOnly')}
              title={t('matchesOnly')}
              aria-pressed={address.matchesOnly}
              onClick={() => update({ matchesOnly: !address.matchesOnly })}
            >
              <Filter aria-hidden="true" />
            </button>
            <Button label={t('clearFind')} onPress={() => update({ find: '', matchesOnly: false })}>
              <X aria-hidden="true" />
            </Button>
          </>
        )}
      </div>
      <div id="find-help" className={help && !asked ? styles.help : 'visually-hidden'}>
        <p>{t('findHelp')}</p>
        <ul>
          {(['http.method=GET', 'service:cart', 'name:get', 'err', '>100ms', '"two words"'] as const).map((example) => (
            <li key={example}>
              <code>{example}</code>
            </li>
          ))}
        </ul>
      </div>
    </search>
  );
}

function Button(props: { label: string; disabled?: boolean; onPress: () => void; children: React.ReactNode }) {
  return (
    <button
      type="button"
      className="button quiet small icon"
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled}
      onClick={props.onPress}
    >
      {props.children}
    </button>
  );
}
