/**
 * Whether the names of a row surely fit into their column. Only where they may not are they clipped and share their room
 * with others: each clip is a part of the page that the browser keeps apart, which costs in every frame of scrolling.
 */
import { FLAG_VIRTUAL, type Layout } from '../model/layout';
import { showInvisible } from '../widgets/invisible';

/** Room of a row beside its names, more than it ever takes: the twisty, the code of the service, margins. */
const BESIDE_REM = 5;
/** The number of a depth that is not indented. */
const DEPTH_REM = 3;
/** Letters stand a little wider on a screen than they are measured. */
const SLACK = 1.03;
/** Texts whose width is remembered. */
const WIDTHS_MAX = 20_000;

const widths = new Map<string, number>();
let context: CanvasRenderingContext2D | null | undefined;
let font = '';
let remPx = 16;

/** Takes the font of an element: for what is asked next. What was measured with another one is forgotten. */
export function takeNameFont(element: Element): void {
  const { fontFamily, fontSize } = getComputedStyle(element);
  const rootPx = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const next = `${fontSize} ${fontFamily}`;
  if (next === font && rootPx === remPx) return;
  font = next;
  remPx = rootPx;
  widths.clear();
}

/** Without a font that is known nothing is sure to fit. */
export function nameFits(layout: Layout, row: number, columnPx: number, levelsMax: number, indentPx: number): boolean {
  if (layout.flags[row]! & FLAG_VIRTUAL) return false;
  const depth = layout.depth[row]!;
  const besideRem = depth > levelsMax ? BESIDE_REM + DEPTH_REM : BESIDE_REM;
  const room = columnPx - Math.min(depth, levelsMax) * indentPx - besideRem * remPx;
  if (room <= 0) return false;
  const service = layout.services[layout.service[row]!]!;
  // An unknown service stands there as words.
  if (service === '') return false;
  return (widthOf(service) + widthOf(layout.operations[layout.operation[row]!]!)) * SLACK <= room;
}

/** As bold as a name may stand. */
function widthOf(text: string): number {
  const known = widths.get(text);
  if (known !== undefined) return known;
  if (widths.size >= WIDTHS_MAX) widths.clear();
  const width = measure(text);
  widths.set(text, width);
  return width;
}

function measure(text: string): number {
  if (font === '') return Number.POSITIVE_INFINITY;
  // What is shown as an escape is set in another font.
  if (showInvisible(text) !== text) return Number.POSITIVE_INFINITY;
  context ??= document.createElement('canvas').getContext('2d');
  if (!context) return Number.POSITIVE_INFINITY;
  context.font = `600 ${font}`;
  return context.measureText(text).width;
}
