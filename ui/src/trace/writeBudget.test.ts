import { describe, expect, test } from 'vitest';
import { WriteBudget } from './writeBudget';

describe('writes of the address', () => {
  test('a few in a row wait for nothing', () => {
    const budget = new WriteBudget(3, 400, 1_000);
    for (let i = 0; i < 3; i++) {
      expect(budget.waitMs(1_001)).toBe(0);
      budget.spend(1_001);
    }
    expect(budget.waitMs(1_001)).toBe(399);
  });

  test('a stream of them stays below 100 in 30 s', () => {
    const budget = new WriteBudget(15, 400, 0);
    let writes = 0;
    for (let ms = 0; ms < 30_000; ms += 10) {
      if (budget.waitMs(ms) > 0) continue;
      budget.spend(ms);
      writes += 1;
    }
    expect(writes).toBeGreaterThan(80);
    expect(writes).toBeLessThan(100);
  });

  test('what was not used is there again, but never more than the burst', () => {
    const budget = new WriteBudget(2, 400, 0);
    budget.spend(0);
    budget.spend(0);
    expect(budget.waitMs(60_000)).toBe(0);
    budget.spend(60_000);
    budget.spend(60_000);
    expect(budget.waitMs(60_000)).toBe(400);
  });
});
