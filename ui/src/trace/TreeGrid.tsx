import {
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type RefObject,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
} from 'react';
import { useTranslation } from 'react-i18next';
import { type Format, useFormat } from '../i18n/format';
import { type ClosedRows, placeOf } from '../model/collapse';
import type { Layout, Times } from '../model/layout';
import { Breadcrumb } from './Breadcrumb';
import { nameFits, takeNameFont } from './nameFits';
import { hasBadges, Row, type RowTexts, useRowTexts } from './Row';
import { assignSlots, orderOf } from './slots';
import styles from './Timeline.module.css';
import { treeKey } from './treeKeys';
import type { Found, TraceView, Zoom } from './useTraceView';
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
  readonly nameWidth: number;
  readonly onDetail: () => void;
}) {
  const { view, scroller, rowHeight } = props;
  const { layout, visible, closed, selected } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const texts = useRowTexts();
  const id = useId();
  const { window, reveal } = useWindow(visible.length, rowHeight, scroller);
  // The few rows that are drawn before the height is known are clipped all the same.
  useLayoutEffect(() => {
    if (scroller.current) takeNameFont(scroller.current);
  }, [scroller]);

  // The place of the one row that Tab reaches: the selected one, its nearest shown ancestor, or the first.
  const place = selected < 0 ? -1 : placeOf(layout, visible, selected);
  const tabPlace = Math.max(0, place);
  useLayoutEffect(() => reveal(place), [place, reveal]);
  useEffect(() => {
    // The selection moved by keys takes the focus along; one made elsewhere (find, errors) does not steal it.
    const inside = scroller.current?.contains(document.activeElement) && document.activeElement !== scroller.current;
    if (inside && place >= 0) document.getElementById(`${id}-${visible[place]}`)?.focus({ preventScroll: true });
  }, [place, visible, id, scroller]);

  // The row that has the focus. Its element may have come to show another one, or be no more: the focus is on no row
  // that the reader did not choose, then, but on the one that Tab reaches.
  const focused = useRef(-1);
  useLayoutEffect(() => {
    const element = document.activeElement;
    if (focused.current < 0 || !element) return;
    const shows = scroller.current?.contains(element) ? rowOf(element) : -1;
    if (shows === focused.current || (shows < 0 && element !== document.body)) return;
    document.getElementById(`${id}-${visible[tabPlace]}`)?.focus({ preventScroll: true });
  });

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

  const slots = useRef<number[]>([]);
  slots.current = assignSlots(
    slots.current,
    blocksOf(window.first, window.end, visible.length > 0 ? tabPlace : -1),
    Math.ceil(visible.length / BLOCK_ROWS),
  );
  const top = visible[window.top] ?? -1;
  const scrolled = top >= 0 && visible[0] !== top;
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
        onFocus={(event) => {
          focused.current = rowOf(event.target);
        }}
        onBlur={() => {
          focused.current = -1;
        }}
      >
        <div
          role="rowgroup"
          className={styles.rows}
          style={{ height: window.height }}
          aria-owns={orderOf(slots.current)
            ?.map((block) => blockId(id, block))
            .join(' ')}
        >
          {slots.current.map(
            (block, slot) =>
              block >= 0 && (
                <Block
                  // biome-ignore lint/suspicious/noArrayIndexKey: an element is its place, whatever it shows
                  key={slot}
                  id={id}
                  block={block}
                  top={window.topOf(block * BLOCK_ROWS)}
                  rowHeight={rowHeight}
                  layout={layout}
                  visible={visible}
                  closed={closed}
                  times={view.times}
                  zoom={view.zoom}
                  found={view.found}
                  criticalPath={view.address.criticalPath}
                  levelsMax={props.levelsMax}
                  indentPx={props.indentPx}
                  nameWidth={props.nameWidth}
                  selected={inBlock(block, place) ? selected : -1}
                  tabPlace={inBlock(block, tabPlace) ? tabPlace : -1}
                  format={format}
                  texts={texts}
                />
              ),
          )}
        </div>
      </div>
      <Breadcrumb layout={layout} focus={view.focus} row={scrolled ? layout.parent[top]! : -1} onChoose={showTop} />
    </>
  );
});

/** Rows that come and go together: React and the browser look at some blocks in each frame, not at all rows. */
const BLOCK_ROWS = 8;

function blockId(id: string, block: number): string {
  return `${id}-block-${block}`;
}

/** The blocks that hold what is seen, and the one of the row that has the focus, however far it is scrolled away. */
function blocksOf(first: number, end: number, tabPlace: number): number[] {
  const blocks: number[] = [];
  for (let block = Math.floor(first / BLOCK_ROWS); block * BLOCK_ROWS < end; block++) blocks.push(block);
  const tabBlock = Math.floor(tabPlace / BLOCK_ROWS);
  if (tabPlace < 0 || blocks.includes(tabBlock)) return blocks;
  return tabPlace < first ? [tabBlock, ...blocks] : [...blocks, tabBlock];
}

function inBlock(block: number, place: number): boolean {
  return place >= block * BLOCK_ROWS && place < (block + 1) * BLOCK_ROWS;
}

const Block = memo(function Block(props: {
  readonly id: string;
  readonly block: number;
  readonly top: number;
  readonly rowHeight: number;
  readonly layout: Layout;
  readonly visible: Int32Array;
  readonly closed: ClosedRows;
  readonly times: Times;
  readonly zoom: Zoom;
  readonly found: Found;
  readonly criticalPath: boolean;
  readonly levelsMax: number;
  readonly indentPx: number;
  readonly nameWidth: number;
  /** Row and place, -1 when in no row of this block. */
  readonly selected: number;
  readonly tabPlace: number;
  readonly format: Format;
  readonly texts: RowTexts;
}) {
  const { layout, visible, closed, found, levelsMax, indentPx } = props;
  const first = props.block * BLOCK_ROWS;
  const count = Math.min(BLOCK_ROWS, visible.length - first);
  // A search without a match leaves the rows as they are: nothing would be told by dimming all.
  const anyFound = (found.rows?.length ?? 0) > 0;
  return (
    <div
      id={blockId(props.id, props.block)}
      className={styles.block}
      style={{ top: props.top, height: count * props.rowHeight }}
    >
      {Array.from({ length: count }, (_, i) => {
        const place = first + i;
        const row = visible[place]!;
        const matches = found.matching?.[row] === 1;
        return (
          <Row
            // biome-ignore lint/suspicious/noArrayIndexKey: an element is its place, whatever it shows
            key={i}
            id={`${props.id}-${row}`}
            layout={layout}
            times={props.times}
            zoom={props.zoom}
            row={row}
            place={place}
            closed={closed[row] === 1}
            levelsMax={levelsMax}
            indentPx={indentPx}
            selected={row === props.selected}
            tabbable={place === props.tabPlace}
            dimmed={anyFound && !matches}
            words={matches ? found.words : undefined}
            plain={
              !hasBadges(layout, row, closed[row] === 1) && nameFits(layout, row, props.nameWidth, levelsMax, indentPx)
            }
            criticalPath={props.criticalPath}
            format={props.format}
            texts={props.texts}
          />
        );
      })}
    </div>
  );
});

function rowOf(target: EventTarget): number {
  const row = (target as Element).closest<HTMLElement>('[data-row]')?.dataset.row;
  return row === undefined ? -1 : Number(row);
}

function onTwisty(target: EventTarget): boolean {
  return (target as Element).closest('[data-twisty]') !== null;
}
