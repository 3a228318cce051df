/**
 * Which element of the page shows which block of rows. An element whose block is out of sight takes up one that comes
 * into sight: to change what rows show costs the browser far less than to throw them away and to make others.
 */

/** Blocks out of sight that stay, so that none is made and thrown away when there is room for one more or less. */
const SPARES_MAX = 1;
const NONE = -1;

/** The block of each element, -1 for an element that there is no more: every wanted one once, those there already unmoved. */
export function assignSlots(last: readonly number[], wanted: readonly number[], blockCount: number): number[] {
  const slots = last.map((block) => (block < blockCount ? block : NONE));
  const keep = new Set(wanted);
  const there = new Set(slots);
  const free = slots.flatMap((block, slot) => (keep.has(block) ? [] : [slot]));
  // Those that show something first: the others would have to be made.
  free.sort((a, b) => Number(slots[a] === NONE) - Number(slots[b] === NONE) || a - b);
  let used = 0;
  for (const block of wanted) {
    if (there.has(block)) continue;
    if (used < free.length) slots[free[used++]!] = block;
    else slots.push(block);
  }
  for (const slot of free.slice(used + SPARES_MAX)) slots[slot] = NONE;
  while (slots.at(-1) === NONE) slots.pop();
  return slots;
}

/** The blocks from top to bottom when their elements do not lie so in the page, else nothing. */
export function orderOf(slots: readonly number[]): number[] | undefined {
  const blocks = slots.filter((block) => block !== NONE);
  const inOrder = blocks.every((block, i) => i === 0 || block > blocks[i - 1]!);
  return inOrder ? undefined : blocks.sort((a, b) => a - b);
}
