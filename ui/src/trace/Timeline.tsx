import { ChevronsDownUp, ChevronsUpDown } from 'lucide-react';
import {
  type CSSProperties,
  type ReactNode,
  type RefObject,
  useCallback,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import { preferences, setPreferences, usePreferences } from '../settings/preferences';
import { Splitter } from '../widgets/Splitter';
import { axisTicks, percentOf, type Tick } from './axis';
import { Ruler } from './Ruler';
import styles from './Timeline.module.css';
import { TreeGrid } from './TreeGrid';
import { useRowHeight } from './useRowHeight';
import type { TraceView } from './useTraceView';
import { useZoomGestures } from './useZoomGestures';

const NAME_WIDTH_DEFAULT_PX = 380;
const NAME_WIDTH_MIN_PX = 120;
const TICK_EVERY_PX = 110;
const INDENT_PX = 14;
const INDENT_MIN_PX = 6;

/** The waterfall: names on the left, bars on the right. */
export function Timeline(props: { readonly view: TraceView; readonly onDetail: () => void }) {
  const { view } = props;
  const { t, i18n } = useTranslation('trace');
  const scroller = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const { nameWidth, setNameWidth, nameMax, laneWidth } = useNameWidth(frame, scroller);
  useZoomGestures(scroller, view, (element) => ({
    left: element.getBoundingClientRect().left + nameWidth,
    width: Math.max(1, laneWidth),
  }));
  const indent = indentOf(nameWidth, view.layout.depthMax);
  const ticks = useMemo(
    () => axisTicks(view.zoom.from, view.zoom.to, Math.max(1, Math.floor(laneWidth / TICK_EVERY_PX)), i18n.language),
    [view.zoom, laneWidth, i18n.language],
  );
  return (
    <section
      ref={frame}
      className={styles.timeline}
      style={
        { '--name': `${nameWidth}px`, '--indent': `${indent.px}px`, '--row-px': `${rowHeight}px` } as CSSProperties
      }
      aria-label={t('viewTimeline')}
    >
      <div className={styles.head}>
        <div className={styles.headName}>
          <span className={styles.headTitle}>{t('columnSpan')}</span>
          <HeadButton label={t('openAll')} onPress={() => view.setAllClosed(false)}>
            <ChevronsUpDown aria-hidden="true" />
          </HeadButton>
          <HeadButton label={t('closeAll')} onPress={() => view.setAllClosed(true)}>
            <ChevronsDownUp aria-hidden="true" />
          </HeadButton>
        </div>
        <Ruler view={view} ticks={ticks} />
      </div>
      <div className={styles.body}>
        <GridLines view={view} ticks={ticks} />
        <TreeGrid
          view={view}
          scroller={scroller}
          rowHeight={rowHeight}
          levelsMax={indent.levels}
          indentPx={indent.px}
          nameWidth={nameWidth}
          onDetail={props.onDetail}
        />
        <div className={styles.splitter}>
          <Splitter
            label={t('nameWidth')}
            size={nameWidth}
            min={NAME_WIDTH_MIN_PX}
            max={nameMax}
            onResize={setNameWidth}
          />
        </div>
      </div>
    </section>
  );
}

function HeadButton(props: { label: string; onPress: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      className="button quiet small icon"
      aria-label={props.label}
      title={props.label}
      onClick={props.onPress}
    >
      {props.children}
    </button>
  );
}

function GridLines({ view, ticks }: { view: TraceView; ticks: readonly Tick[] }) {
  return (
    <div className={styles.gridLines} aria-hidden="true">
      {ticks.map(({ us }) => (
        <span key={us} style={{ left: `${percentOf(us, view.zoom.from, view.zoom.to)}%` }} />
      ))}
    </div>
  );
}

/** Levels share two fifths of the name column; they stand closer in deep traces, down to a limit. */
function indentOf(nameWidth: number, depthMax: number): { px: number; levels: number } {
  const room = nameWidth * 0.4;
  const px = Math.max(INDENT_MIN_PX, Math.min(INDENT_PX, Math.floor(room / Math.max(1, depthMax))));
  return { px, levels: Math.max(1, Math.floor(room / px)) };
}

/** Room at the end of the lane for the label of a bar that reaches it. */
const LABEL_REM = 4.25;

function labelPx(): number {
  return LABEL_REM * (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16);
}

/** The width of the name column: as the user left it, at most what leaves room for bars. */
function useNameWidth(frame: RefObject<HTMLElement | null>, scroller: RefObject<HTMLElement | null>) {
  const stored = usePreferences().widths.traceName ?? NAME_WIDTH_DEFAULT_PX;
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    // Without the scroll bar, which takes its room from the bars.
    const measure = () => {
      setWidth(scroller.current?.clientWidth ?? element.clientWidth);
      element.style.setProperty('--gutter', `${element.clientWidth - (scroller.current?.clientWidth ?? 0)}px`);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [frame, scroller]);
  const nameMax = Math.max(NAME_WIDTH_MIN_PX, Math.round(width * (width < 560 ? 0.5 : 0.7)));
  const setNameWidth = useCallback(
    (px: number) => setPreferences({ widths: { ...preferences().widths, traceName: px } }),
    [],
  );
  const nameWidth = Math.min(stored, nameMax);
  return { nameWidth, setNameWidth, nameMax, laneWidth: Math.max(1, width - nameWidth - labelPx()) };
}
