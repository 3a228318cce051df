import { useNavigate } from '@tanstack/react-router';
import { Filter as FilterIcon, X } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
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
  /** The suggestion that Enter and Tab take: the first one, or one by its id, for names come in late and move the others. */
  const [marked, setMarked] = useState<'first' | { readonly id: string }>();
  const listId = useId();
  const input = useRef<HTMLInputElement>(null);
  const quiet = useRef(false);
  const { known, failed } = useKnownNames(search.serviceName, text);
  const suggestions = open ? suggest(text, known, search) : [];
  const active = marked === 'first' ? 0 : suggestions.findIndex(({ id }) => id === marked?.id);
  const filters = filtersOf(search);
  const optionId = (at: number) => `${listId}-${at}`;
  useEffect(() => {
    if (active >= 0) document.getElementById(`${listId}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active, listId]);

  const close = () => {
    setOpen(false);
    setMarked(undefined);
  };
  /** Back to the input without suggestions, which would cover what is below the box. */
  const rest = () => {
    close();
    quiet.current = true;
    input.current?.focus();
    quiet.current = false;
  };
  const type = (next: string) => {
    setText(next);
    setOpen(true);
    setMarked(next === '' ? undefined : 'first');
  };
  const write = (next: string) => {
    type(next);
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
    const focused = suggestions[active];
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) onRun();
    else if (event.key === 'Enter' && !focused && text.trim() === '') onRun();
    else if (event.key === 'Enter') accept(focused ?? suggestions[0]);
    else if (event.key === 'Tab' && !event.shiftKey && focused && text !== '') accept(focused);
    else if (event.key === 'Backspace' && text === '' && filters.length > 0) edit(filters.at(-1) as Filter);
    else if (event.key === 'Escape' && open) close();
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      setOpen(true);
      setMarked(suggestions[nextOption(active, event.key === 'ArrowDown' ? 1 : -1, suggestions.length)]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a click beside the chips goes to the input, as in any field
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys reach the input itself
    <div
      className={styles.box}
      onClick={(event) => event.target === event.currentTarget && input.current?.focus()}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && close()}
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
      <div className={styles.field}>
        <input
          ref={input}
          className={styles.input}
          type="text"
          data-search-box=""
          value={text}
          onChange={({ target }) => type(target.value)}
          aria-label={t('filterLabel')}
          aria-autocomplete="list"
          aria-controls={listId}
          aria-activedescendant={suggestions[active] && optionId(active)}
          placeholder={filters.length === 0 ? t('filterPlaceholder') : t('filterMore')}
          onKeyDown={onKeyDown}
          onFocus={() => !quiet.current && setOpen(true)}
          onClick={() => setOpen(true)}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          maxLength={2_000}
        />
      </div>
      <div className={styles.popup} hidden={!open || (suggestions.length === 0 && !failed)}>
        <div
          role="listbox"
          id={listId}
          aria-label={t('suggestions')}
          className={styles.list}
          onMouseLeave={() => text === '' && setMarked(undefined)}
        >
          {suggestions.map((suggestion, at) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys reach the input, which keeps the focus
            <div
              key={suggestion.id}
              role="option"
              id={optionId(at)}
              aria-selected={at === active}
              className={styles.option}
              onMouseDown={(event) => event.preventDefault()}
              onMouseMove={() => setMarked(suggestion)}
              onClick={() => accept(suggestion)}
            >
              <SuggestionText suggestion={suggestion} />
            </div>
          ))}
        </div>
        {failed && <p className={styles.note}>{t('namesFailed')}</p>}
      </div>
    </div>
  );
}

/** Up and down through the options, round at both ends. */
function nextOption(active: number, direction: 1 | -1, count: number): number {
  if (count === 0) return -1;
  if (active < 0) return direction > 0 ? 0 : count - 1;
  return (active + direction + count) % count;
}

function problemOf(filter: Filter, problems: readonly Problem[]): Problem | undefined {
  if (filter.key !== 'minDuration' && filter.key !== 'maxDuration') return undefined;
  return problems.find((problem) => problem === filter.key || problem === 'durationOrder');
}

function SuggestionText({ suggestion }: { readonly suggestion: Suggestion }): ReactNode {
  const { t } = useTranslation('search');
  const { filterText } = useFilterText();
  if (suggestion.kind === 'key') {
    const { label, hint } = filterText({ key: suggestion.key });
    return (
      <>
        <span className={styles.key}>{label}</span>
        <span className={styles.hint}>{hint}</span>
      </>
    );
  }
  if (suggestion.kind === 'trace') {
    return (
      <>
        <span className={styles.key}>{t('openTrace')}</span>
        <span className={styles.value}>{suggestion.traceId}</span>
      </>
    );
  }
  const { label } = filterText(suggestion.filter);
  return (
    <>
      <span className={styles.key}>{label}</span>
      <span className={styles.value}>
        <PlainText text={suggestion.filter.value} />
      </span>
      {suggestion.free && <span className={styles.hint}>{t('asTyped')}</span>}
    </>
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
