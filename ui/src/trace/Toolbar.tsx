import { Braces, ChartNoAxesGantt, Flame, Maximize2, Route, Sheet, Sigma, Waypoints, X } from 'lucide-react';
import { type KeyboardEvent, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { traceViews, type TraceView as ViewName } from '../address/trace';
import { FLAG_HALVES } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import styles from './Toolbar.module.css';
import type { TraceView } from './useTraceView';

export const TABPANEL_ID = 'trace-view';

const ICONS: Record<ViewName, typeof Flame> = {
  timeline: ChartNoAxesGantt,
  flame: Flame,
  table: Sheet,
  stats: Sigma,
  map: Waypoints,
  json: Braces,
};

/** The views of the trace, and what changes all of them. */
export function Toolbar({ view }: { readonly view: TraceView }) {
  const { t } = useTranslation('trace');
  const { address, update, layout } = view;
  const rows = address.view === 'timeline' || address.view === 'flame' || address.view === 'table';
  const hasHalves = layout.split || layout.flags.some((flags) => (flags & FLAG_HALVES) !== 0);
  const hasErrors = layout.errorsBelow[0]! > 0 || address.errorsOnly || layout.errorsBelow.some((count) => count > 0);
  return (
    <div className={styles.bar}>
      <Tabs view={view} />
      <div className={styles.options}>
        {rows && (
          <Toggle
            on={address.criticalPath}
            label={t('criticalPath')}
            icon={<Route aria-hidden="true" />}
            onChange={(on) => update({ criticalPath: on })}
          />
        )}
        {rows && hasErrors && (
          <Toggle on={address.errorsOnly} label={t('errorsOnly')} onChange={(on) => update({ errorsOnly: on })} />
        )}
        {address.view === 'timeline' && hasHalves && (
          <Toggle on={address.split} label={t('splitHalves')} onChange={(on) => update({ split: on })} />
        )}
        {view.focus >= 0 && (
          <button type="button" className="button small" onClick={() => view.setFocus(-1)}>
            <X aria-hidden="true" />
            <span className={styles.focusName}>
              {t('focusedOn')} <PlainText text={layout.operations[layout.operation[view.focus]!]!} />
            </span>
          </button>
        )}
        {view.zoomed && rows && (
          <button type="button" className="button small" onClick={() => view.setZoom(undefined)}>
            <Maximize2 aria-hidden="true" />
            {t('resetZoom')}
          </button>
        )}
      </div>
    </div>
  );
}

function Toggle(props: { on: boolean; label: string; icon?: React.ReactNode; onChange: (on: boolean) => void }) {
  return (
    <button type="button" className="button small" aria-pressed={props.on} onClick={() => props.onChange(!props.on)}>
      {props.icon}
      {props.label}
    </button>
  );
}

function Tabs({ view }: { view: TraceView }) {
  const { t } = useTranslation('trace');
  const list = useRef<HTMLDivElement>(null);
  const labels: Record<ViewName, string> = {
    timeline: t('viewTimeline'),
    flame: t('viewFlame'),
    table: t('viewTable'),
    stats: t('viewStats'),
    map: t('viewMap'),
    json: t('viewJson'),
  };
  const go = (name: ViewName) => {
    if (name !== view.address.view) view.update({ view: name, sort: undefined }, 'push');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = traceViews.indexOf(view.address.view);
    const last = traceViews.length - 1;
    const next = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(traceViews[next]!);
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus();
  };
  return (
    <div ref={list} role="tablist" aria-label={t('viewsLabel')} className={styles.tabs} onKeyDown={onKeyDown}>
      {traceViews.map((name) => {
        const Icon = ICONS[name];
        const selected = name === view.address.view;
        return (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={selected}
            aria-controls={selected ? TABPANEL_ID : undefined}
            tabIndex={selected ? 0 : -1}
            className={styles.tab}
            onClick={() => go(name)}
          >
            <Icon aria-hidden="true" />
            <span>{labels[name]}</span>
          </button>
        );
      })}
    </div>
  );
}
