import type { KeyboardEvent } from 'react';
import type { Flame } from '../model/flame';
import type { Lanes } from './flamePaint';
import type { TraceView } from './useTraceView';

/** Up to the parent, down to the first child, left and right in the lane, Enter shows it alone, Escape shows all. */
export function flameKey(
  event: KeyboardEvent,
  view: TraceView,
  flame: Flame,
  lanes: Lanes,
  cursor: number,
  root: number,
): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const first = Math.max(0, root);
  const end = first + (flame.size[first] ?? 0);
  const inside = (box: number) => (root < 0 ? box >= 0 && box < flame.count : box >= first && box < end);
  const go = (box: number) => {
    if (inside(box)) view.select(flame.row[box]!);
  };
  switch (event.key) {
    case 'ArrowUp':
      go(cursor < 0 ? first : flame.parent[cursor]!);
      break;
    case 'ArrowDown':
      go(cursor < 0 ? first : flame.size[cursor]! > 1 ? cursor + 1 : -1);
      break;
    case 'ArrowLeft':
    case 'ArrowRight':
      go(cursor < 0 ? first : neighbour(flame, lanes, cursor, event.key === 'ArrowRight' ? 1 : -1));
      break;
    case 'Home':
      go(first);
      break;
    case 'Enter':
      if (cursor >= 0) view.setFocus(cursor === root ? -1 : flame.row[cursor]!);
      break;
    case 'Escape':
      if (root < 0) return;
      view.setFocus(-1);
      break;
    default:
      return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function neighbour(flame: Flame, lanes: Lanes, box: number, step: 1 | -1): number {
  const lane = flame.y[box]!;
  const from = lanes.start[lane]!;
  const to = lanes.start[lane + 1]!;
  const at = lanes.boxes.subarray(from, to).indexOf(box);
  return lanes.boxes[from + at + step] !== undefined && from + at + step >= from && from + at + step < to
    ? lanes.boxes[from + at + step]!
    : -1;
}
