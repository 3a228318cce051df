import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SearchAddress, Sort, SortKey } from '../address/search';
import { GroupRow, ServicesRow, TraceRow } from './ResultRow';
import styles from './Results.module.css';
import { type ResultItem, resultItems, sortResults } from './results';
import type { TraceSummary } from './summary';
import type { SearchChange } from './useSearch';

/** The traces found, as a table of which only the rows in the window exist. */
export function Results(props: {
  readonly traces: readonly TraceSummary[];
  readonly search: SearchAddress;
  readonly onShow: (change: SearchChange) => void;
  readonly onSince?: (startMs: number) => void;
  /** The traces come from files: their addresses say so. */
  readonly local?: boolean;
  readonly opened: ReadonlySet<string>;
  readonly onOpened: (opened: ReadonlySet<string>) => void;
}) {
  const { search, onShow, opened, onOpened } = props;
  const { t } = useTranslation('search');
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const sorted = useMemo(() => sortResults(props.traces, search.sort), [props.traces, search.sort]);
  const items = useMemo(
    () => resultItems(sorted, search.group, opened, closed),
    [sorted, search.group, opened, closed],
  );
  const longestUs = useMemo(() => sorted.reduce((max, { durationUs }) => Math.max(max, durationUs), 0), [sorted]);
  const withDay = useMemo(() => spansDays(sorted), [sorted]);

  const list = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const top = list.current ? list.current.getBoundingClientRect().top + window.scrollY : 0;
    setOffset((last) => (Math.abs(last - top) > 1 ? top : last));
  });
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (index) => (items[index]?.kind === 'services' ? 120 : 36),
    getItemKey: (index) => items[index]?.key ?? index,
    overscan: 8,
    scrollMargin: offset,
  });
  const toggle = useCallback((key: string, set: ReadonlySet<string>) => {
    const next = new Set(set);
    if (!next.delete(key)) next.add(key);
    return next;
  }, []);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
    if (step === 0 || !row) return;
    event.preventDefault();
    focusRow(Number(row.dataset.index), step);
  };
  const focusRow = (from: number, step: number) => {
    let index = from + step;
    while (items[index]?.kind === 'services') index += step;
    if (!items[index]) return;
    virtual.scrollToIndex(index);
    requestAnimationFrame(() =>
      list.current
        ?.querySelector<HTMLElement>(
          `[data-index="${index}"] :is(a, [aria-expanded])[href], [data-index="${index}"] button`,
        )
        ?.focus(),
    );
  };
  const content = (item: ResultItem): ReactNode => {
    switch (item.kind) {
      case 'trace':
        return (
          <TraceRow
            trace={item.trace}
            local={props.local === true}
            longestUs={longestUs}
            withDay={withDay}
            opened={opened.has(item.trace.traceId)}
            onToggle={() => onOpened(toggle(item.trace.traceId, opened))}
          />
        );
      case 'services':
        return (
          <ServicesRow
            trace={item.trace}
            chosen={search.services}
            onChoose={(name) => onShow({ services: [...toggle(name, new Set(search.services))] })}
            onSince={props.onSince && (() => props.onSince?.(Math.floor(item.trace.startUs / 1000)))}
          />
        );
      case 'group':
        return (
          <GroupRow
            group={item.group}
            closed={closed.has(item.group.id)}
            onToggle={() => setClosed(toggle(item.group.id, closed))}
          />
        );
    }
  };
  return (
    <div role="table" aria-label={t('resultsLabel')} aria-rowcount={items.length + 1}>
      <div role="rowgroup" className={styles.headGroup}>
        <div role="row" aria-rowindex={1} className={`${styles.row} ${styles.head}`}>
          <div role="columnheader">
            <span className="visually-hidden">{t('columnOpen')}</span>
          </div>
          <SortHeader sort={search.sort} by="start" label={t('columnStart')} onShow={onShow} />
          <div role="columnheader">{t('columnRoot')}</div>
          <SortHeader sort={search.sort} by="duration" label={t('columnDuration')} onShow={onShow} />
          <SortHeader sort={search.sort} by="spans" label={t('columnSpans')} onShow={onShow} end />
          <SortHeader sort={search.sort} by="errors" label={t('columnErrors')} onShow={onShow} end />
          <div role="columnheader" className={styles.servicesHead}>
            {t('columnServices')}
          </div>
        </div>
      </div>
      <div
        role="rowgroup"
        ref={list}
        className={styles.body}
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={onKeyDown}
      >
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const item = items[index];
          return (
            item && (
              <div
                key={key}
                role="row"
                aria-rowindex={index + 2}
                data-index={index}
                ref={virtual.measureElement}
                className={item.kind === 'trace' ? `${styles.row} ${styles.trace}` : styles.wide}
                style={{ transform: `translateY(${start - virtual.options.scrollMargin}px)` }}
              >
                {content(item)}
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

function SortHeader(props: {
  readonly sort: Sort;
  readonly by: SortKey;
  readonly label: string;
  readonly end?: boolean;
  readonly onShow: (change: SearchChange) => void;
}) {
  const active = props.sort.key === props.by;
  const descending = active && props.sort.descending;
  const Arrow = descending ? ArrowDown : ArrowUp;
  return (
    <div
      role="columnheader"
      aria-sort={active ? (descending ? 'descending' : 'ascending') : 'none'}
      className={props.end ? styles.endHead : undefined}
    >
      <button
        type="button"
        className={styles.sort}
        onClick={() => props.onShow({ sort: { key: props.by, descending: active ? !descending : true } })}
      >
        {props.label}
        {active && <Arrow aria-hidden="true" />}
      </button>
    </div>
  );
}

/** Whether the traces lie on more than one day of 24 hours, so that a time alone would mislead. */
function spansDays(traces: readonly TraceSummary[]): boolean {
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { startUs } of traces) {
    first = Math.min(first, startUs);
    last = Math.max(last, startUs);
  }
  return last - first > 86_400e6 || new Date(first / 1000).getUTCDate() !== new Date(last / 1000).getUTCDate();
}
