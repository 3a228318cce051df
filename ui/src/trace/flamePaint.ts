/** Draws the boxes of a flame graph that are on the screen, and tells which box lies under a point. */
import type { Flame } from '../model/flame';
import type { Layout } from '../model/layout';
import { readColour } from '../theme/colours';
import { showInvisible } from '../widgets/invisible';
import { looksOf } from './look';

export const LANE_PX = 20;
/** Narrower boxes have no text. */
const TEXT_MIN_PX = 28;
/** Boxes narrower than this are drawn as part of a thin line. */
const BOX_MIN_PX = 0.4;

/** What is shown: a stretch of the x axis, and the lanes from `top` px on. */
export interface FlameScreen {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  /** Lane that stands at the top, when a part of the graph is shown alone. */
  readonly firstLane: number;
}

export interface FlameMarks {
  /** Boxes to show: `first` … `end - 1`, a subtree. */
  readonly first: number;
  readonly end: number;
  readonly cursor: number;
  readonly hovered: number;
  /** One byte per row; other boxes are dimmed. */
  readonly matching: Uint8Array | undefined;
  readonly critical: boolean;
  /** Shade by self time. */
  readonly merged: boolean;
}

/** Boxes by lane, each lane from left to right. */
export interface Lanes {
  readonly start: Int32Array;
  readonly boxes: Int32Array;
}

export function lanesOf(flame: Flame): Lanes {
  const start = new Int32Array(flame.laneCount + 1);
  for (let box = 0; box < flame.count; box++) start[flame.y[box]! + 1]!++;
  for (let lane = 0; lane < flame.laneCount; lane++) start[lane + 1]! += start[lane]!;
  const next = start.slice();
  const boxes = new Int32Array(flame.count);
  for (let box = 0; box < flame.count; box++) boxes[next[flame.y[box]!]!++] = box;
  for (let lane = 0; lane < flame.laneCount; lane++) {
    boxes.subarray(start[lane]!, start[lane + 1]!).sort((a, b) => flame.x[a]! - flame.x[b]! || a - b);
  }
  return { start, boxes };
}

export interface Palette {
  readonly services: readonly Rgb[];
  readonly none: Rgb;
  readonly surface: Rgb;
  readonly error: string;
  readonly text: string;
  readonly focus: string;
}
type Rgb = readonly [number, number, number];

/** The colours of the theme at an element. */
export function readPalette(element: Element): Palette {
  const rgb = (token: string) => parseRgb(readColour(element, token));
  return {
    services: Array.from({ length: 8 }, (_, i) => rgb(`--service-${i}`)),
    none: rgb('--line-strong'),
    surface: rgb('--surface'),
    error: readColour(element, '--error'),
    text: readColour(element, '--text'),
    focus: readColour(element, '--focus'),
  };
}

function parseRgb(colour: string): Rgb {
  const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  const at = (i: 0 | 1 | 2) => Math.round(a[i] * share + b[i] * (1 - share));
  return [at(0), at(1), at(2)];
}

const css = ([r, g, b]: Rgb) => `rgb(${r} ${g} ${b})`;

/** Black or white, whichever is told from the colour more easily: one of both always has a contrast of 4.5. */
export function inkOn([r, g, b]: Rgb): string {
  const linear = (value: number) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  return luminance > 0.179 ? '#000' : '#fff';
}

export function paintFlame(
  context: CanvasRenderingContext2D,
  flame: Flame,
  lanes: Lanes,
  layout: Layout,
  screen: FlameScreen,
  marks: FlameMarks,
  palette: Palette,
): void {
  const { width, height, ratio } = screen;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = 'middle';
  const scale = width / (screen.to - screen.from);
  const firstLane = Math.max(0, Math.floor(screen.top / LANE_PX) + screen.firstLane);
  const lastLane = Math.min(flame.laneCount - 1, Math.ceil((screen.top + height) / LANE_PX) + screen.firstLane);
  for (let lane = firstLane; lane <= lastLane; lane++) {
    const y = (lane - screen.firstLane) * LANE_PX - screen.top;
    let drawnTo = Number.NEGATIVE_INFINITY;
    for (let i = lanes.start[lane]!; i < lanes.start[lane + 1]!; i++) {
      const box = lanes.boxes[i]!;
      if (box < marks.first || box >= marks.end) continue;
      const left = (flame.x[box]! - screen.from) * scale;
      const right = left + flame.width[box]! * scale;
      if (left > width) break;
      if (right < 0 || (right - drawnTo < BOX_MIN_PX && box !== marks.cursor)) continue;
      const from = Math.max(0, left);
      const to = Math.max(Math.min(width, right), from + 1);
      paintBox(context, box, { from, to, y }, flame, layout, marks, palette);
      drawnTo = right;
    }
  }
}

interface Place {
  readonly from: number;
  readonly to: number;
  readonly y: number;
}

function paintBox(
  context: CanvasRenderingContext2D,
  box: number,
  { from, to, y }: Place,
  flame: Flame,
  layout: Layout,
  marks: FlameMarks,
  palette: Palette,
): void {
  const row = flame.row[box]!;
  const look = looksOf(layout)[layout.service[row]!]!;
  const plain = look.colour < 0 ? palette.none : palette.services[look.colour]!;
  const dimmed = marks.matching !== undefined && !anyMatch(box, flame, marks);
  const share = dimmed ? 0.22 : marks.merged ? 0.35 + 0.65 * shareOfSelf(flame, box) : 1;
  const colour = share === 1 ? plain : mix(plain, palette.surface, share);
  const gap = to - from > 3 ? 0.5 : 0;
  const inside = { x: from + gap, y: y + 1, w: to - from - 2 * gap, h: LANE_PX - 2 };
  context.fillStyle = css(colour);
  context.fillRect(inside.x, inside.y, inside.w, inside.h);
  if (flame.errors[box]! > 0 && !dimmed) {
    context.fillStyle = palette.error;
    context.fillRect(inside.x, inside.y, Math.min(inside.w, 3), inside.h);
    context.fillRect(inside.x, inside.y + inside.h - 2, inside.w, 2);
  }
  if (marks.critical && !marks.merged && layout.critical.share[row]! > 0) {
    context.fillStyle = palette.text;
    context.fillRect(inside.x, inside.y, inside.w, 2);
  }
  if (inside.w >= TEXT_MIN_PX) paintText(context, inside, textOf(layout, row), inkOn(colour), flame.errors[box]! > 0);
  if (box === marks.cursor || box === marks.hovered) {
    context.strokeStyle = box === marks.cursor ? palette.focus : palette.text;
    context.lineWidth = 2;
    context.strokeRect(inside.x + 1, inside.y + 1, Math.max(1, inside.w - 2), inside.h - 2);
  }
}

function shareOfSelf(flame: Flame, box: number): number {
  const total = flame.totalOf[box]!;
  return total > 0 ? Math.min(1, flame.selfOf[box]! / total) : 1;
}

/** A merged box matches when its first row does: the rows of a path have the same names. */
function anyMatch(box: number, flame: Flame, marks: FlameMarks): boolean {
  return marks.matching![flame.row[box]!] === 1;
}

export function textOf(layout: Layout, row: number): string {
  const service = layout.services[layout.service[row]!]!;
  const operation = layout.operations[layout.operation[row]!]!;
  return showInvisible([service, operation].filter(Boolean).join(' '));
}

/** Text longer than this never fits a screen. */
const TEXT_LENGTH_MAX = 300;

function paintText(
  context: CanvasRenderingContext2D,
  inside: { x: number; y: number; w: number; h: number },
  text: string,
  ink: string,
  error: boolean,
): void {
  const indent = error ? 7 : 5;
  const room = inside.w - indent - 3;
  let shown = text.slice(0, TEXT_LENGTH_MAX);
  const full = context.measureText(shown).width;
  if (full > room) {
    const fits = Math.floor((shown.length * room) / full) - 1;
    if (fits < 2) return;
    shown = `${shown.slice(0, fits)}…`;
  }
  context.fillStyle = ink;
  context.fillText(shown, inside.x + indent, inside.y + inside.h / 2 + 0.5);
}

/** The box under a point of the screen, -1 when there is none. Narrow boxes are found a little beside them, too. */
export function boxAt(
  x: number,
  y: number,
  flame: Flame,
  lanes: Lanes,
  screen: FlameScreen,
  marks: FlameMarks,
): number {
  const lane = Math.floor((y + screen.top) / LANE_PX) + screen.firstLane;
  if (lane < 0 || lane >= flame.laneCount) return -1;
  const scale = (screen.to - screen.from) / screen.width;
  const time = screen.from + x * scale;
  let low = lanes.start[lane]!;
  let high = lanes.start[lane + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (flame.x[lanes.boxes[middle]!]! <= time) low = middle + 1;
    else high = middle;
  }
  for (const i of [low - 1, low]) {
    if (i < lanes.start[lane]! || i >= lanes.start[lane + 1]!) continue;
    const box = lanes.boxes[i]!;
    if (box < marks.first || box >= marks.end) continue;
    const slack = 1.5 * scale;
    if (time >= flame.x[box]! - slack && time <= flame.x[box]! + flame.width[box]! + slack) return box;
  }
  return -1;
}
