import {
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type RefObject,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
} from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import { placeOf } from '../model/collapse';
import { Breadcrumb } from './Breadcrumb';
import { Row } from './Row';
import styles from './Timeline.module.css';
import { treeKey } from './treeKeys';
import type { TraceView } from './useTraceView';
import { useWindow } from './useWindow';
import { zoomToRow } from './zoom';

/** The rows as a tree grid. Apart from the rest of the timeline, because scrolling draws it anew many times a second. */
export const TreeGrid = memo(function TreeGrid(props: {
  readonly view: TraceView;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly rowHeight: number;
  /** Levels that are indented. */
  readonly levelsMax: number;
  readonly indentPx: number;
  readonly onDetail: () => void;
}) {
  const { view, scroller, rowHeight } = props;
  const { layout, visible, closed, selected } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const id = useId();
  const { window, reveal } = useWindow(visible.length, rowHeight, scroller);

  // The place of the one row that Tab reaches: the selected one, its nearest shown ancestor, or the first.
  const place = selected < 0 ? -1 : placeOf(layout, visible, selected);
  const tabPlace = Math.max(0, place);
  useLayoutEffect(() => reveal(place), [place, reveal]);
  useEffect(() => {
    // The selection moved by keys takes the focus along; one made elsewhere (find, errors) does not steal it.
    const inside = scroller.current?.contains(document.activeElement) && document.activeElement !== scroller.current;
    if (inside && place >= 0) document.getElementById(`${id}-${visible[place]}`)?.focus({ preventScroll: true });
  }, [place, visible, id, scroller]);

  const onClick = (event: MouseEvent) => {
    const row = rowOf(event.target);
    if (row < 0) return;
    if (onTwisty(event.target)) view.setClosed([row], closed[row] === 0);
    else view.select(row, { detail: true });
    document.getElementById(`${id}-${row}`)?.focus({ preventScroll: true });
  };
  const onDoubleClick = (event: MouseEvent) => {
    const row = rowOf(event.target);
    if (row >= 0 && !onTwisty(event.target)) zoomToRow(view, row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || visible.length === 0) return;
    const pageRows = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const action = treeKey(event.key, visible[tabPlace]!, view, pageRows);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (action.select !== undefined) view.select(action.select);
    if (action.open) view.setClosed(action.open, false);
    if (action.close) view.setClosed(action.close, true);
    if (action.detail) props.onDetail();
  };
  const showTop = useCallback(
    (row: number) => {
      view.select(row);
      reveal(placeOf(layout, visible, row), 0);
    },
    [view.select, reveal, layout, visible],
  );

  const shown = Array.from({ length: Math.max(0, window.end - window.first) }, (_, i) => window.first + i);
  // The row that has the focus stays, however far it is scrolled away.
  if (tabPlace < window.first && visible.length > 0) shown.unshift(tabPlace);
  else if (tabPlace >= window.end && tabPlace < visible.length) shown.push(tabPlace);
  const top = visible[window.top] ?? -1;
  const scrolled = top >= 0 && visible[0] !== top;
  // A search without a match leaves the rows as they are: nothing would be told by dimming all.
  const anyFound = (view.found.rows?.length ?? 0) > 0;
  return (
    <>
      <div
        ref={scroller}
        className={styles.scroller}
        role="treegrid"
        tabIndex={-1}
        aria-label={t('rowsLabel')}
        aria-rowcount={visible.length}
        aria-colcount={2}
        onClick={onClick}
        onDoubleClick={onDoubleClick}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup" className={styles.rows} style={{ height: window.height }}>
          {shown.map((place) => {
            const row = visible[place]!;
            const matches = view.found.matching?.[row] === 1;
            return (
              <Row
                key={row}
                id={`${id}-${row}`}
                layout={layout}
                times={view.times}
                zoom={view.zoom}
                row={row}
                place={place}
                top={window.topOf(place)}
                closed={closed[row] === 1}
                levelsMax={props.levelsMax}
                indentPx={props.indentPx}
                selected={row === selected}
                tabbable={place === tabPlace}
                dimmed={anyFound && !matches}
                words={matches ? view.found.words : undefined}
                criticalPath={view.address.criticalPath}
                format={format}
                t={t}
              />
            );
          })}
        </div>
      </div>
      <Breadcrumb layout={layout} focus={view.focus} row={scrolled ? layout.parent[top]! : -1} onChoose={showTop} />
    </>
  );
});

function rowOf(target: EventTarget): number {
  const row = (target as Element).closest<HTMLElement>('[data-row]')?.dataset.row;
  return row === undefined ? -1 : Number(row);
}

function onTwisty(target: EventTarget): boolean {
  return (target as Element).closest('[data-twisty]') !== null;
}
