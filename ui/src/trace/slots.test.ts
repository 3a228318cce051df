// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { assignSlots, orderOf } from './slots';

const range = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i);

describe('elements for blocks of rows', () => {
  it('are made in the order of the rows', () => {
    expect(assignSlots([], [0, 1, 2], 9)).toEqual([0, 1, 2]);
    expect(orderOf([0, 1, 2])).toBeUndefined();
  });

  it('keep what they show while it is wanted, and take up what comes into sight', () => {
    expect(assignSlots([0, 1, 2, 3], [2, 3, 4, 5], 9)).toEqual([4, 5, 2, 3]);
    expect(orderOf([4, 5, 2, 3])).toEqual([2, 3, 4, 5]);
  });

  it('stay when there is one too many, with what they showed', () => {
    expect(assignSlots([0, 1, 2], [1, 2], 9)).toEqual([0, 1, 2]);
    expect(assignSlots([0, 1, 2], [2], 9)).toEqual([0, -1, 2]);
    expect(assignSlots([0, -1, 2], [2, 3, 4], 9)).toEqual([3, 4, 2]);
  });

  it('show no rows that are no more', () => {
    expect(assignSlots([0, 1, 7, 8], [0], 2)).toEqual([0, 1]);
    expect(assignSlots([0, 1], [], 0)).toEqual([]);
  });

  it('hold each wanted block once, and hardly more than are wanted, wherever one scrolls', () => {
    const blockCount = 500;
    let slots: number[] = [];
    let state = 1;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    for (let first = 0, step = 0; step < 2_000; step++) {
      first = random(10) === 0 ? random(blockCount - 8) : Math.min(blockCount - 8, first + random(3));
      const wanted = [0, ...range(Math.max(1, first), first + 6 + random(2))];
      const before = slots;
      slots = assignSlots(slots, wanted, blockCount);
      expect(slots.filter((block) => wanted.includes(block)).sort((a, b) => a - b)).toEqual(wanted);
      expect(slots.filter((block) => block >= 0).length).toBeLessThanOrEqual(wanted.length + 1);
      expect(new Set(slots.filter((block) => block >= 0)).size).toBe(slots.filter((block) => block >= 0).length);
      for (const [slot, block] of before.entries()) if (wanted.includes(block)) expect(slots[slot]).toBe(block);
    }
  });
});
