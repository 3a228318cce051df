import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { TraceAddress } from '../address/trace';
import { traceViews } from '../address/trace';
import { useFormat } from '../i18n/format';
import { Page } from '../layout/Page';
import { useShortcuts } from '../layout/shortcuts';
import type { Layout } from '../model/layout';
import { preferences, setPreferences, usePreferences } from '../settings/preferences';
import { Splitter } from '../widgets/Splitter';
import { LoadingPanel } from '../widgets/StatePanel';
import { Contributors } from './Contributors';
import { Detail } from './Detail';
import { MiniMap } from './MiniMap';
import type { OpenTrace } from './openTraces';
import { rootName } from './rootName';
import { Timeline } from './Timeline';
import { TABPANEL_ID, Toolbar } from './Toolbar';
import { TraceHeader } from './TraceHeader';
import styles from './TracePage.module.css';
import type { UpdateAddress } from './useTraceAddress';
import { type TraceView, useTraceView } from './useTraceView';
import { zoomByKey, zoomKeys } from './zoom';

const FlameView = lazy(() => import('./FlameView'));
const SpanTable = lazy(() => import('./SpanTable'));
const StatsView = lazy(() => import('./StatsView'));
const MapView = lazy(() => import('./MapView'));
const JsonView = lazy(() => import('./JsonView'));

interface TracePageProps {
  readonly trace: OpenTrace;
  readonly address: TraceAddress;
  readonly update: UpdateAddress;
  readonly flush: () => void;
  readonly onReload: () => void;
}

/** The page of a trace that is here. */
export function TracePage(props: TracePageProps) {
  const { trace, address } = props;
  const [layout, setLayout] = useState<Layout>(trace.layout);
  useEffect(() => {
    let live = true;
    void trace.layOut(address.split).then((next) => live && setLayout(next));
    return () => {
      live = false;
    };
  }, [trace, address.split]);
  // Another trace must not be shown with the rows of the last one for even a moment.
  const shown = layout.traceId === trace.layout.traceId ? layout : trace.layout;
  return <Laid {...props} layout={shown} />;
}

function Laid({ trace, layout, address, update, flush, onReload }: TracePageProps & { layout: Layout }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const view = useTraceView(trace, layout, address, update);
  const copyLink = useCallback(() => {
    flush();
    return location.href;
  }, [flush]);
  useTraceKeys(view);
  const focusDetail = useCallback(() => {
    update({ detail: true });
    requestAnimationFrame(() => document.getElementById('span-detail')?.focus());
  }, [update]);
  const title = `${rootName(layout, t('missingRoot'), t('noService'))} ${format.duration(view.times.durationUs)}`;
  const detailOpen = address.detail && view.selected >= 0 && address.view !== 'stats' && address.view !== 'map';
  const closeDetail = useCallback(() => update({ detail: false }), [update]);
  return (
    <Page title={title} className={styles.page}>
      <TraceHeader view={view} copyLink={copyLink} onReload={onReload} />
      <Toolbar view={view} />
      <Contributors view={view} />
      {address.view === 'timeline' && <MiniMap view={view} />}
      <WithDetail
        detail={detailOpen && <Detail view={view} onClose={closeDetail} onCopyLink={copyLink} />}
        onClose={closeDetail}
      >
        <div className={styles.view} role="tabpanel" id={TABPANEL_ID} aria-labelledby={`tab-${address.view}`}>
          <Suspense fallback={<LoadingPanel label={t('loadingView')} />}>
            <ShownView view={view} onDetail={focusDetail} />
          </Suspense>
        </div>
      </WithDetail>
    </Page>
  );
}

function ShownView({ view, onDetail }: { view: TraceView; onDetail: () => void }) {
  switch (view.address.view) {
    case 'timeline':
      return <Timeline view={view} onDetail={onDetail} />;
    case 'flame':
      return <FlameView view={view} />;
    case 'table':
      return <SpanTable view={view} />;
    case 'stats':
      return <StatsView view={view} />;
    case 'map':
      return <MapView view={view} />;
    case 'json':
      return <JsonView view={view} />;
  }
}

const DETAIL_WIDTH_DEFAULT_PX = 400;
const DETAIL_HEIGHT_DEFAULT_PX = 300;
/** Below this width of the window the detail lies under the rows. */
const BESIDE_FROM_PX = 900;

function WithDetail(props: { detail: React.ReactNode; onClose: () => void; children: React.ReactNode }) {
  const { t } = useTranslation('trace');
  const { widths } = usePreferences();
  const beside = useMediaQuery(`(min-width: ${BESIDE_FROM_PX}px)`);
  const frame = useRef<HTMLDivElement>(null);
  const [max, setMax] = useState(10_000);
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      setMax(beside ? Math.max(240, element.clientWidth - 360) : Math.max(120, element.clientHeight - 140));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [beside]);
  const name = beside ? 'traceDetail' : 'traceDetailHeight';
  const size = Math.min(widths[name] ?? (beside ? DETAIL_WIDTH_DEFAULT_PX : DETAIL_HEIGHT_DEFAULT_PX), max);
  const resize = (px: number) => setPreferences({ widths: { ...preferences().widths, [name]: px } });
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes the panel from anywhere in this part of the page
    <div
      ref={frame}
      className={`${styles.body} ${beside ? styles.beside : styles.below}`}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !props.detail || event.defaultPrevented) return;
        event.preventDefault();
        props.onClose();
        document.querySelector<HTMLElement>('[role=treegrid] [tabindex="0"]')?.focus();
      }}
    >
      {props.children}
      {props.detail && (
        <>
          <Splitter
            label={t('detailSize')}
            size={size}
            min={beside ? 240 : 120}
            max={max}
            onResize={resize}
            reverse
            orientation={beside ? 'vertical' : 'horizontal'}
            controls="span-detail"
          />
          <div className={styles.detail} style={beside ? { width: size } : { height: size }}>
            {props.detail}
          </div>
        </>
      )}
    </div>
  );
}

function useMediaQuery(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const change = () => setMatches(media.matches);
    change();
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, [query]);
  return matches;
}

/** The single keys of the page; those of the rows are bound to the rows. */
function useTraceKeys(view: TraceView): void {
  const { address, update } = view;
  const keys = useMemo(() => {
    const find = () => document.querySelector<HTMLInputElement>('[data-search-box]');
    const focusFind = () => {
      find()?.focus();
      find()?.select();
    };
    const browserFind = () => {
      // The second time it is the browser's own search.
      if (document.activeElement === find()) return false;
      focusFind();
      return true;
    };
    const keys: [string, () => unknown][] = [
      ['[', () => view.setAllClosed(true)],
      [']', () => view.setAllClosed(false)],
      ['e', () => view.step('error', 1)],
      ['E', () => view.step('error', -1)],
      ['n', () => view.step('match', 1)],
      ['N', () => view.step('match', -1)],
      ['c', () => update({ criticalPath: !address.criticalPath })],
      ['f', focusFind],
      ['Ctrl+f', browserFind],
      ['r', () => view.selected >= 0 && view.setFocus(view.focus === view.selected ? -1 : view.selected)],
      ...zoomKeys.map((key): [string, () => void] => [key, () => zoomByKey(view, key)]),
      ...traceViews.map((name, i): [string, () => void] => [
        String(i + 1),
        () => update({ view: name, sort: undefined }, 'push'),
      ]),
    ];
    return Object.fromEntries(keys);
  }, [view, address.criticalPath, update]);
  useShortcuts(keys);
}
