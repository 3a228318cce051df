import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import uPlot from 'uplot';
import './uplot.css';
import type { Brush } from '../address/search';
import { useFormat } from '../i18n/format';
import { readColour } from '../theme/colours';
import { useTheme } from '../theme/theme';
import { rootText } from './ResultRow';
import styles from './Scatter.module.css';
import {
  bin,
  brushBetween,
  growBrush,
  isDense,
  logTicks,
  markerRadius,
  nearest,
  type ScatterData,
  scatterData,
  scatterPointsMax,
} from './scatter';
import type { TraceSummary } from './summary';

const heightPx = 230;
/** A drag shorter than this is a click. */
const dragMinPx = 5;
const reachPx = 14;
const cellPx = 9;
/** Room for a label with milliseconds. */
const tickSpacePx = 96;

interface ScatterProps {
  readonly traces: readonly TraceSummary[];
  readonly shown: readonly TraceSummary[];
  readonly brush: Brush | undefined;
  readonly onBrush: (brush: Brush | undefined) => void;
  /** Whether the density is drawn, which it always is above `scatterPointsMax`. */
  readonly heat: boolean;
  readonly onHeat: (heat: boolean) => void;
}

/** Duration over start time. The table below is its text alternative; a brush filters it. */
export default function Scatter(props: ScatterProps) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const navigate = useNavigate();
  const theme = useTheme();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [cursor, setCursor] = useState<number>();
  const data = useMemo(() => scatterData(props.traces), [props.traces]);
  const view = useRef({ ...props, data, cursor, setCursor, format });
  view.current = { ...props, data, cursor, setCursor, format };
  // Without dependencies: drawn anew whenever anything of this component changes.
  useEffect(() => plot.current?.redraw(false));
  const open = (trace: TraceSummary) => void navigate({ to: '/traces/$traceId', params: { traceId: trace.traceId } });
  const openRef = useRef(open);
  openRef.current = open;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme is another set of colours
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = makePlot(element, data, view, openRef);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: heightPx }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [data, theme]);

  const onKeyDown = (event: KeyboardEvent) => {
    const last = data.traces.length - 1;
    const at = cursor ?? 0;
    const trace = data.traces[at];
    if (event.key === 'Enter' && trace && cursor !== undefined) open(trace);
    else if (event.key === 'Escape' && props.brush) props.onBrush(undefined);
    else if (event.shiftKey && event.key.startsWith('Arrow')) {
      const start = trace
        ? brushBetween(data.x[at] ?? 0, data.x[at] ?? 0, data.y[at] ?? 1, data.y[at] ?? 1)
        : undefined;
      const from = props.brush ?? start;
      if (from) props.onBrush(growBrush(from, event.key, data.xRange, data.yRange));
    } else if (event.key === 'ArrowRight' || event.key === 'ArrowDown')
      setCursor(cursor === undefined ? 0 : Math.min(last, at + 1));
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') setCursor(Math.max(0, at - 1));
    else if (event.key === 'Home') setCursor(0);
    else if (event.key === 'End') setCursor(last);
    else return;
    event.preventDefault();
  };
  const dense = isDense(data, props.heat);
  const under = cursor === undefined ? undefined : data.traces[cursor];
  return (
    <figure className={styles.figure}>
      <div
        ref={box}
        className={styles.plot}
        role="application"
        aria-label={t('scatterLabel', { count: props.traces.length, number: format.number(props.traces.length) })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the plot is moved in by keys
        tabIndex={0}
        onKeyDown={onKeyDown}
      />
      <figcaption className={styles.caption}>
        <span className={styles.key}>
          {dense ? <DensityKey /> : <PointKey />}
          {data.traces.length <= scatterPointsMax && (
            <button
              type="button"
              className="button small"
              aria-pressed={props.heat}
              onClick={() => props.onHeat(!props.heat)}
            >
              {t('heatmap')}
            </button>
          )}
        </span>
        <span role="status">
          {under
            ? t('scatterPoint', {
                name: rootText(under, t('noRoot')),
                duration: format.duration(under.durationUs),
                time: format.time(under.startUs / 1000),
                spans: t('spans', { count: under.spanCount, number: format.number(under.spanCount) }),
                errors: t('errors', { count: under.errorCount, number: format.number(under.errorCount) }),
              })
            : t(dense ? 'heatHint' : 'scatterHint')}
        </span>
      </figcaption>
    </figure>
  );
}

function PointKey() {
  const { t } = useTranslation('search');
  return (
    <>
      <svg viewBox="0 0 10 10" aria-hidden="true" className={styles.ok}>
        <circle cx="5" cy="5" r="3.6" />
      </svg>
      {t('scatterOk')}
      <svg viewBox="0 0 10 10" aria-hidden="true" className={styles.failed}>
        <path d="M5 1 L9.3 8.8 H0.7 Z" />
      </svg>
      {t('scatterFailed')}
    </>
  );
}

function DensityKey() {
  const { t } = useTranslation('search');
  return (
    <>
      <svg viewBox="0 0 22 10" aria-hidden="true" className={styles.density}>
        <rect width="10" height="10" opacity="0.3" />
        <rect x="12" width="10" height="10" />
      </svg>
      {t('heatMore')}
      <svg viewBox="0 0 10 10" aria-hidden="true" className={styles.frame}>
        <rect x="1" y="1" width="8" height="8" />
      </svg>
      {t('scatterFailed')}
    </>
  );
}

type View = React.RefObject<
  ScatterProps & {
    data: ScatterData;
    cursor: number | undefined;
    setCursor: (index: number | undefined) => void;
    format: ReturnType<typeof useFormat>;
  }
>;

function makePlot(
  element: HTMLElement,
  data: ScatterData,
  view: View,
  open: React.RefObject<(trace: TraceSummary) => void>,
): uPlot {
  const colours = {
    line: readColour(element, '--line'),
    text: readColour(element, '--text-2'),
    ok: readColour(element, '--accent'),
    failed: readColour(element, '--error'),
    cursor: readColour(element, '--text'),
    surface: readColour(element, '--surface'),
  };
  const axis = {
    stroke: colours.text,
    grid: { stroke: colours.line, width: 1 },
    ticks: { stroke: colours.line, width: 1 },
  };
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const place = (u: uPlot) => (index: number) =>
    [u.valToPos(data.x[index] ?? 0, 'x', true), u.valToPos(data.y[index] ?? 1, 'y', true)] as const;
  /** The point at a place of the plane, in CSS pixels. */
  const under = (u: uPlot, left: number, top: number) => {
    const ratio = devicePixelRatio;
    return nearest(data, place(u), left * ratio + u.bbox.left, top * ratio + u.bbox.top, reachPx * ratio);
  };
  const made = new uPlot(
    {
      width: element.clientWidth,
      height: heightPx,
      ms: 1,
      legend: { show: false },
      padding: [10, 16, 0, 0],
      cursor: {
        x: false,
        y: false,
        points: { show: false },
        drag: { x: true, y: true, setScale: false, dist: dragMinPx },
      },
      scales: {
        x: { time: true, range: () => [data.xRange[0], data.xRange[1]] },
        y: { distr: 3, range: () => [data.yRange[0], data.yRange[1]] },
      },
      axes: [
        {
          ...axis,
          font,
          size: 30,
          space: tickSpacePx,
          values: (_, splits) => splits.map((ms) => view.current.format.clock(ms, data.xRange[1] - data.xRange[0])),
        },
        {
          ...axis,
          font,
          size: 64,
          splits: () => logTicks(data.yRange),
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map((us) => view.current.format.duration(us)),
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [(u) => draw(u, place(u), view.current, colours)],
        setSelect: [
          (u) => {
            const { left, top, width, height } = u.select;
            if (width < dragMinPx && height < dragMinPx) return;
            const brush = brushBetween(
              u.posToVal(left, 'x'),
              u.posToVal(left + width, 'x'),
              u.posToVal(top, 'y'),
              u.posToVal(top + height, 'y'),
            );
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            view.current.onBrush(brush);
          },
        ],
        setCursor: [
          (u) => {
            const { left = -1, top = -1 } = u.cursor;
            if (left < 0) return view.current.setCursor(undefined);
            const at = under(u, left, top);
            if (at !== view.current.cursor) view.current.setCursor(at);
          },
        ],
      },
    },
    [data.x as number[], data.y as number[]],
    element,
  );
  let downAt: [number, number] | undefined;
  made.over.addEventListener('pointerdown', (event) => {
    downAt = [event.clientX, event.clientY];
  });
  made.over.addEventListener('click', (event) => {
    const moved = downAt ? Math.hypot(event.clientX - downAt[0], event.clientY - downAt[1]) : 0;
    // What lies under the pointer, not what was marked last: a quick click comes before the mark is drawn.
    const over = made.over.getBoundingClientRect();
    const trace = data.traces[under(made, event.clientX - over.left, event.clientY - over.top) ?? -1];
    if (moved < dragMinPx && trace) open.current(trace);
    else if (moved < dragMinPx && view.current.brush) view.current.onBrush(undefined);
  });
  return made;
}

interface Colours {
  readonly ok: string;
  readonly failed: string;
  readonly cursor: string;
  readonly surface: string;
}

function draw(
  u: uPlot,
  place: (index: number) => readonly [number, number],
  view: View['current'],
  colours: Colours,
): void {
  const { ctx, bbox } = u;
  const { data, shown, brush, cursor } = view;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (isDense(data, view.heat)) drawCells(ctx, data, place, colours, cellPx * ratio);
  else drawPoints(ctx, data, place, colours, new Set(shown), ratio);
  if (brush) {
    const x0 = u.valToPos(brush.startMs, 'x', true);
    const x1 = u.valToPos(brush.endMs, 'x', true);
    const y0 = u.valToPos(Math.max(brush.maxUs, 1), 'y', true);
    const y1 = u.valToPos(Math.max(brush.minUs, 1), 'y', true);
    ctx.globalAlpha = 0.1;
    ctx.fillStyle = colours.ok;
    ctx.fillRect(x0, y0, x1 - x0, y1 - y0);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colours.ok;
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  if (cursor !== undefined) {
    const [x, y] = place(cursor);
    ctx.strokeStyle = colours.cursor;
    ctx.lineWidth = 2 * ratio;
    ctx.beginPath();
    ctx.arc(x, y, (markerRadius(data.traces[cursor]?.spanCount ?? 1) + 3) * ratio, 0, 2 * Math.PI);
    ctx.stroke();
  }
  ctx.restore();
}

/** Circles for traces without error, triangles for those with one: shape and colour. Errors lie on top. */
function drawPoints(
  ctx: CanvasRenderingContext2D,
  data: ScatterData,
  place: (index: number) => readonly [number, number],
  colours: Colours,
  shown: ReadonlySet<TraceSummary>,
  ratio: number,
): void {
  for (const failed of [false, true]) {
    for (const [index, trace] of data.traces.entries()) {
      if (trace.errorCount > 0 !== failed) continue;
      const [x, y] = place(index);
      const r = markerRadius(trace.spanCount) * ratio;
      ctx.beginPath();
      if (failed) {
        ctx.moveTo(x, y - r * 1.15);
        ctx.lineTo(x + r * 1.05, y + r * 0.8);
        ctx.lineTo(x - r * 1.05, y + r * 0.8);
        ctx.closePath();
      } else {
        ctx.arc(x, y, r, 0, 2 * Math.PI);
      }
      const visible = shown.has(trace);
      ctx.globalAlpha = visible ? (failed ? 0.9 : 0.5) : 0.12;
      ctx.fillStyle = failed ? colours.failed : colours.ok;
      ctx.fill();
      ctx.globalAlpha = visible ? 1 : 0.2;
      ctx.lineWidth = ratio;
      ctx.strokeStyle = failed ? colours.surface : colours.ok;
      ctx.stroke();
    }
  }
  ctx.globalAlpha = 1;
}

/** Density: darker is more; a cell with errors has a frame. */
function drawCells(
  ctx: CanvasRenderingContext2D,
  data: ScatterData,
  place: (index: number) => readonly [number, number],
  colours: Colours,
  size: number,
): void {
  const cells = [...bin(data, place, size).values()];
  const most = cells.reduce((max, { count }) => Math.max(max, count), 1);
  for (const { column, row, count, errorCount } of cells) {
    ctx.globalAlpha = 0.2 + 0.8 * (Math.log1p(count) / Math.log1p(most));
    ctx.fillStyle = colours.ok;
    ctx.fillRect(column * size + 0.5, row * size + 0.5, size - 1, size - 1);
    if (errorCount === 0) continue;
    ctx.globalAlpha = 1;
    ctx.lineWidth = size / 5;
    ctx.strokeStyle = colours.failed;
    ctx.strokeRect(column * size + 1.5, row * size + 1.5, size - 3, size - 3);
  }
  ctx.globalAlpha = 1;
}
