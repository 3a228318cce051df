import { Play } from 'lucide-react';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { orders, type SearchAddress } from '../address/search';
import { useConfig } from '../api/config';
import { showInvisible } from '../widgets/invisible';
import { asksTheSame, nextDraft } from './draft';
import { FilterBox } from './FilterBox';
import { useFilterText } from './filterText';
import { serverSummarises } from './query';
import { defaultLookback, limitMax, problemsOf } from './request';
import { SavedSearches } from './SavedSearches';
import styles from './SearchBar.module.css';
import { TimeRange } from './TimeRange';

/** What is asked for: edited as a draft, sent by Run. */
export function SearchBar(props: {
  readonly search: SearchAddress;
  readonly onRun: (search: SearchAddress) => unknown;
}) {
  const { t } = useTranslation('search');
  const { problemText } = useFilterText();
  const { config } = useConfig();
  const [draft, setDraft] = useState(props.search);
  const [shown, setShown] = useState(props.search);
  if (props.search !== shown) {
    setShown(props.search);
    setDraft(nextDraft(draft, shown, props.search));
  }
  const limitId = useId();
  const limitErrorId = useId();
  const problems = problemsOf(draft);
  const changed = !asksTheSame(draft, shown);
  const run = () => problems.length === 0 && props.onRun(draft);
  return (
    <div role="search" className={styles.bar}>
      <div className={styles.line}>
        <FilterBox search={draft} onChange={setDraft} onRun={run} problems={problems} />
        <button type="button" className={`button primary ${styles.run}`} onClick={run} disabled={problems.length > 0}>
          <Play aria-hidden="true" />
          {t('run')}
        </button>
      </div>
      {problems.length > 0 && (
        <p className={styles.problem} role="alert" id={limitErrorId}>
          {problemText(problems[0] as (typeof problems)[number])}
        </p>
      )}
      <div className={styles.line}>
        <TimeRange
          lookback={draft.lookback ?? defaultLookback(config)}
          onChange={(lookback) => setDraft({ ...draft, lookback })}
        />
        <span className={styles.limit}>
          <label htmlFor={limitId}>{t('limit')}</label>
          <input
            id={limitId}
            className="field"
            type="number"
            inputMode="numeric"
            min={1}
            max={limitMax}
            value={draft.limit ?? String(config.queryLimit)}
            aria-invalid={problems.includes('limit')}
            aria-describedby={problems.includes('limit') ? limitErrorId : undefined}
            onChange={({ target }) => setDraft({ ...draft, limit: target.value === '' ? '0' : target.value })}
            onKeyDown={(event) => event.key === 'Enter' && run()}
          />
        </span>
        {serverSummarises() && (
          <label className={styles.limit}>
            <span>{t('order')}</span>
            <select
              className="field"
              value={draft.order ?? ''}
              onChange={({ target }) => {
                const { order: _, ...rest } = draft;
                const order = orders.find((one) => one === target.value);
                setDraft(order ? { ...rest, order } : rest);
              }}
            >
              <option value="">{t('orderNewest')}</option>
              <option value="longest">{t('orderLongest')}</option>
              <option value="errors">{t('orderErrors')}</option>
              <option value="spans">{t('orderSpans')}</option>
            </select>
          </label>
        )}
        {changed && <span className={styles.changed}>{t('draftChanged')}</span>}
        <span className={styles.tools}>
          <SavedSearches search={draft} onRun={props.onRun} />
        </span>
      </div>
      <IgnoredParameters search={draft} />
    </div>
  );
}

/** Parameters of the address that mean nothing here: told, kept, never sent. */
function IgnoredParameters(props: { readonly search: SearchAddress }) {
  const { t } = useTranslation('search');
  const names = Object.keys(props.search.unknown);
  if (names.length === 0) return null;
  return (
    <div className={styles.ignored}>
      <span className="muted">{t('ignored')}</span>
      {names.map((name) => (
        <span key={name} className={styles.ignoredChip}>
          {showInvisible(`${name}=${props.search.unknown[name]}`)}
        </span>
      ))}
    </div>
  );
}
