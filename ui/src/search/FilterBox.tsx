import { useNavigate } from '@tanstack/react-router';
import { Filter as FilterIcon, X } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import { Autocomplete, Input, ListBox, ListBoxItem, TextField } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import type { SearchAddress } from '../address/search';
import { PlainText } from '../widgets/PlainText';
import styles from './FilterBox.module.css';
import { useFilterText } from './filterText';
import type { Problem } from './request';
import { type Filter, filtersOf, type Suggestion, suggest, textOf, withFilter, withoutFilter } from './suggest';
import { useKnownNames } from './useKnownNames';

/** One box with the filters as chips; typing suggests keys, then values. */
export function FilterBox(props: {
  readonly search: SearchAddress;
  readonly onChange: (search: SearchAddress) => void;
  readonly onRun: () => void;
  readonly problems: readonly Problem[];
}) {
  const { search, onChange, onRun } = props;
  const { t } = useTranslation('search');
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const quiet = useRef(false);
  const { known, failed } = useKnownNames(search.serviceName, text);
  const suggestions = open ? suggest(text, known, search) : [];
  const filters = filtersOf(search);

  /** Back to the input without suggestions, which would cover what is below the box. */
  const rest = () => {
    setOpen(false);
    quiet.current = true;
    input.current?.focus();
    quiet.current = false;
  };
  const write = (next: string) => {
    setText(next);
    setOpen(true);
    input.current?.focus();
  };
  const accept = (suggestion: Suggestion | undefined) => {
    if (!suggestion) return;
    if (suggestion.kind === 'key') return write(suggestion.text);
    setText('');
    if (suggestion.kind === 'trace') {
      void navigate({ to: '/traces/$traceId', params: { traceId: suggestion.traceId } });
    } else {
      onChange(withFilter(search, suggestion.filter));
      rest();
    }
  };
  const edit = (filter: Filter) => {
    onChange(withoutFilter(search, filter));
    write(textOf(filter));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    const focused = suggestions.find(({ id }) => id === focusedKey(event.currentTarget));
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) onRun();
    else if (event.key === 'Enter' && !focused && text.trim() === '') onRun();
    else if (event.key === 'Enter' && !focused) accept(suggestions[0]);
    else if (event.key === 'Tab' && !event.shiftKey && focused && text !== '') accept(focused);
    else if (event.key === 'Backspace' && text === '' && filters.length > 0) edit(filters.at(-1) as Filter);
    else if (event.key === 'Escape' && open) setOpen(false);
    else {
      if (event.key === 'ArrowDown' && !open) setOpen(true);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a click beside the chips goes to the input, as in any field
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys reach the input itself
    <div
      className={styles.box}
      onClick={(event) => event.target === event.currentTarget && input.current?.focus()}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}
    >
      <FilterIcon className={styles.icon} aria-hidden="true" />
      {filters.map((filter) => (
        <Chip
          key={textOf(filter)}
          filter={filter}
          problem={problemOf(filter, props.problems)}
          onEdit={() => edit(filter)}
          onRemove={() => {
            onChange(withoutFilter(search, filter));
            rest();
          }}
        />
      ))}
      <Autocomplete inputValue={text} onInputChange={setText}>
        <TextField className={styles.field ?? ''} aria-label={t('filterLabel')}>
          <Input
            ref={input}
            className={styles.input ?? ''}
            data-search-box=""
            placeholder={filters.length === 0 ? t('filterPlaceholder') : t('filterMore')}
            onKeyDownCapture={onKeyDown}
            onFocus={() => !quiet.current && setOpen(true)}
            onClick={() => setOpen(true)}
            onInput={() => setOpen(true)}
            autoCapitalize="none"
            spellCheck={false}
            maxLength={2_000}
          />
        </TextField>
        <div className={styles.popup} hidden={!open || (suggestions.length === 0 && !failed)}>
          <ListBox
            aria-label={t('suggestions')}
            className={styles.list ?? ''}
            items={suggestions}
            onAction={(key) => accept(suggestions.find(({ id }) => id === key))}
          >
            {(suggestion) => <SuggestionRow suggestion={suggestion} />}
          </ListBox>
          {failed && <p className={styles.note}>{t('namesFailed')}</p>}
        </div>
      </Autocomplete>
    </div>
  );
}

/** The suggestion under the virtual focus: React Aria tells it only through the attribute. */
function focusedKey(input: HTMLInputElement): string | undefined {
  const id = input.getAttribute('aria-activedescendant');
  return (id === null ? null : document.getElementById(id))?.dataset.key;
}

function problemOf(filter: Filter, problems: readonly Problem[]): Problem | undefined {
  if (filter.key !== 'minDuration' && filter.key !== 'maxDuration') return undefined;
  return problems.find((problem) => problem === filter.key || problem === 'durationOrder');
}

function SuggestionRow({ suggestion }: { readonly suggestion: Suggestion }) {
  const { t } = useTranslation('search');
  const { filterText } = useFilterText();
  const row = { id: suggestion.id, className: styles.option ?? '' };
  if (suggestion.kind === 'key') {
    const { label, hint } = filterText({ key: suggestion.key });
    return (
      <ListBoxItem {...row} textValue={label}>
        <span className={styles.key}>{label}</span>
        <span className={styles.hint}>{hint}</span>
      </ListBoxItem>
    );
  }
  if (suggestion.kind === 'trace') {
    return (
      <ListBoxItem {...row} textValue={suggestion.traceId}>
        <span className={styles.key}>{t('openTrace')}</span>
        <span className={styles.value}>{suggestion.traceId}</span>
      </ListBoxItem>
    );
  }
  const { label } = filterText(suggestion.filter);
  return (
    <ListBoxItem {...row} textValue={`${label} ${suggestion.filter.value}`}>
      <span className={styles.key}>{label}</span>
      <span className={styles.value}>
        <PlainText text={suggestion.filter.value} />
      </span>
      {suggestion.free && <span className={styles.hint}>{t('asTyped')}</span>}
    </ListBoxItem>
  );
}

function Chip(props: {
  readonly filter: Filter;
  readonly problem: Problem | undefined;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
}) {
  const { t } = useTranslation('search');
  const { filterText, chipText, problemText } = useFilterText();
  const { filter, problem } = props;
  const name = chipText(filter);
  return (
    <span className={problem ? `${styles.chip} ${styles.wrong}` : styles.chip}>
      <button
        type="button"
        className={styles.chipText}
        onClick={props.onEdit}
        aria-description={problem ? problemText(problem) : t('editFilter')}
        title={problem && problemText(problem)}
      >
        <span className={styles.chipKey}>{t('chipKey', { key: filterText(filter).label })}</span>{' '}
        <PlainText text={filter.value} />
      </button>
      <button
        type="button"
        className={styles.chipRemove}
        onClick={props.onRemove}
        aria-label={t('removeFilter', { name })}
      >
        <X aria-hidden="true" />
      </button>
    </span>
  );
}
