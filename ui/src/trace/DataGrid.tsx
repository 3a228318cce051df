import { ArrowDown, ArrowUp, ChevronRight } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef } from 'react';
import styles from './DataGrid.module.css';
import { useRowHeight } from './useRowHeight';
import { useWindow } from './useWindow';

export interface Column {
  readonly id: string;
  readonly label: string;
  /** Said by a pointer that rests on the label. */
  readonly title?: string;
  /** Of `grid-template-columns`. */
  readonly width: string;
  readonly number?: boolean;
  readonly cell: (index: number) => ReactNode;
  readonly sortable?: boolean;
}

/** A column's name, `-` before it for descending. */
export interface GridSort {
  readonly by: string;
  readonly descending: boolean;
}

export function parseSort(text: string | undefined, fallback: GridSort): GridSort {
  if (text === undefined) return fallback;
  return text.startsWith('-') ? { by: text.slice(1), descending: true } : { by: text, descending: false };
}

export function formatSort({ by, descending }: GridSort): string {
  return descending ? `-${by}` : by;
}

/** What makes the rows a tree. */
export interface GridTree {
  readonly level: (index: number) => number;
  /** Undefined for a row with nothing below. */
  readonly expanded: (index: number) => boolean | undefined;
  readonly toggle: (index: number) => void;
}

/**
 * A table of any length, of which only the rows on the screen exist. Arrow keys go from row to row, Enter does what a
 * click does.
 */
export function DataGrid(props: {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly count: number;
  readonly keyOf: (index: number) => string | number;
  readonly classOf?: (index: number) => string | undefined;
  /** The row that is chosen, -1 for none. */
  readonly selected: number;
  readonly onChoose: (index: number) => void;
  readonly sort?: GridSort;
  readonly onSort?: (sort: GridSort) => void;
  readonly tree?: GridTree;
}) {
  const { columns, count, selected, tree } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const { window, reveal } = useWindow(count, rowHeight, scroller);
  const place = Math.min(Math.max(0, selected), count - 1);
  useLayoutEffect(() => reveal(selected), [selected, reveal]);
  useEffect(() => {
    const active = document.activeElement;
    if (selected >= 0 && active?.closest(`[data-grid="${CSS.escape(id)}"] [role=row]`)) {
      document.getElementById(`${id}-${selected}`)?.focus({ preventScroll: true });
    }
  }, [selected, id]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = (event.target as Element).closest<HTMLElement>('[data-index]');
    if (!row) return;
    const at = Number(row.dataset.index);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: count - 1,
    }[event.key];
    if (next !== undefined) props.onChoose(Math.min(count - 1, Math.max(0, next)));
    else if (event.key === 'Enter' || event.key === ' ') props.onChoose(at);
    else if (tree && event.key === 'ArrowRight' && tree.expanded(at) === false) tree.toggle(at);
    else if (tree && event.key === 'ArrowLeft' && tree.expanded(at) === true) tree.toggle(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const shown = Array.from({ length: Math.max(0, window.end - window.first) }, (_, i) => window.first + i);
  if (count > 0 && place < window.first) shown.unshift(place);
  else if (count > 0 && place >= window.end) shown.push(place);
  const template = columns.map(({ width }) => width).join(' ');
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it is a grid
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles take a label
    <div
      ref={scroller}
      className={styles.scroller}
      role={tree ? 'treegrid' : 'grid'}
      aria-label={props.label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      data-grid={id}
      data-ready=""
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" className={styles.headGroup}>
        <div
          role="row"
          aria-rowindex={1}
          className={`${styles.row} ${styles.head}`}
          style={{ gridTemplateColumns: template }}
        >
          {columns.map((column) => (
            <Head key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
          ))}
        </div>
      </div>
      <div role="rowgroup" className={styles.rows} style={{ height: window.height }}>
        {shown.map((index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are caught by the grid
          <div
            key={props.keyOf(index)}
            id={`${id}-${index}`}
            role="row"
            data-index={index}
            className={`${styles.row} ${styles.body} ${props.classOf?.(index) ?? ''}${index === selected ? ` ${styles.selected}` : ''}`}
            style={{ gridTemplateColumns: template, top: window.topOf(index), height: rowHeight }}
            tabIndex={index === place ? 0 : -1}
            aria-rowindex={index + 2}
            aria-selected={index === selected}
            aria-level={tree ? tree.level(index) + 1 : undefined}
            aria-expanded={tree?.expanded(index)}
            onClick={() => props.onChoose(index)}
          >
            {columns.map((column, i) => (
              <div key={column.id} role="gridcell" className={column.number ? styles.number : styles.cell}>
                {i === 0 && tree && <Twisty tree={tree} index={index} />}
                {column.cell(index)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Deeper levels are not indented further. */
const LEVELS_MAX = 24;

function Twisty({ tree, index }: { tree: GridTree; index: number }) {
  const expanded = tree.expanded(index);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys of the grid do the same
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <span
      className={expanded ? `${styles.twisty} ${styles.open}` : styles.twisty}
      style={{ marginLeft: `${Math.min(tree.level(index), LEVELS_MAX) * 0.625}rem` }}
      onClick={(event) => {
        if (expanded === undefined) return;
        event.stopPropagation();
        tree.toggle(index);
      }}
    >
      {expanded !== undefined && <ChevronRight aria-hidden="true" />}
    </span>
  );
}

function Head(props: { column: Column; sort: GridSort | undefined; onSort: ((sort: GridSort) => void) | undefined }) {
  const { column, sort, onSort } = props;
  const active = sort?.by === column.id;
  const className = column.number ? `${styles.headCell} ${styles.number}` : styles.headCell;
  if (!onSort || column.sortable === false) {
    return (
      <div role="columnheader" className={className} title={column.title}>
        <span className={styles.headText}>{column.label}</span>
      </div>
    );
  }
  // Numbers are looked at from the largest down, names from A.
  const descending = active ? !sort.descending : column.number === true;
  return (
    <div
      role="columnheader"
      className={className}
      aria-sort={active ? (sort.descending ? 'descending' : 'ascending') : 'none'}
      title={column.title}
    >
      <button type="button" className={styles.sort} onClick={() => onSort({ by: column.id, descending })}>
        <span className={styles.headText}>{column.label}</span>
        {active && (sort.descending ? <ArrowDown aria-hidden="true" /> : <ArrowUp aria-hidden="true" />)}
      </button>
    </div>
  );
}
