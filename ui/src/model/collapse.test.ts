// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from './build';
import { closedRows, depthAtStart, describeClosed, placeOf, visibleRows } from './collapse';
import type { Layout } from './layout';
import { hex, largeTrace, randomOf, randomTrace, span } from './testing';

const layoutOf = (spans: Parameters<typeof readTrace>[0]): Layout => layOut(readTrace(spans), false).layout;
const ALL = { root: -1, keep: undefined };
const small = layoutOf([
  span(1, undefined, 0, 100),
  span(2, 1, 1, 50),
  span(3, 2, 2, 20),
  span(4, 1, 60, 20),
  span(5, 4, 61, 10),
]);

describe('closed rows', () => {
  it('hide what is below them', () => {
    const closed = closedRows(small, { kind: 'these', ids: [hex(2)] });
    expect([...visibleRows(small, closed, ALL)]).toEqual([0, 1, 3, 4]);
    expect(placeOf(small, visibleRows(small, closed, ALL), 2)).toBe(1);
  });

  it('are all, or all but some, or from a depth on', () => {
    const shown = (collapsed: Parameters<typeof closedRows>[1]) => [
      ...visibleRows(small, closedRows(small, collapsed), ALL),
    ];
    expect(shown({ kind: 'allBut', ids: [] })).toEqual([0]);
    expect(shown({ kind: 'allBut', ids: [hex(1), hex(4)] })).toEqual([0, 1, 3, 4]);
    expect(shown({ kind: 'depth', depth: 1, except: [hex(4)] })).toEqual([0, 1, 3, 4]);
    expect(shown({ kind: 'default' })).toEqual([0, 1, 2, 3, 4]);
  });

  it('ignore ids that are not in the trace, or have nothing below', () => {
    expect(closedRows(small, { kind: 'these', ids: ['ffff', hex(3)] }).some((value) => value === 1)).toBe(false);
  });

  it('read back as they were written', () => {
    const random = randomOf(3);
    for (let seed = 1; seed <= 200; seed++) {
      const layout = layoutOf(randomTrace(seed, 60));
      const closed = closedRows(layout, { kind: 'these', ids: [] });
      for (let row = 0; row < layout.rowCount; row++) {
        if (layout.size[row]! > 1 && layout.flags[row] !== undefined && random() < seed / 200) closed[row] = 1;
      }
      expect(closedRows(layout, describeClosed(layout, closed))).toEqual(closed);
    }
  });

  it('are written in at most 200 names', () => {
    const layout = layoutOf(largeTrace(5_000));
    const random = randomOf(5);
    const closed = closedRows(layout, { kind: 'these', ids: [] });
    for (let row = 0; row < layout.rowCount; row++) if (layout.size[row]! > 1 && random() < 0.5) closed[row] = 1;
    const written = describeClosed(layout, closed);
    expect(written.kind).toBe('depth');
    expect(written.kind === 'depth' && written.except.length).toBe(200);
    const deep = closedRows(layout, { kind: 'depth', depth: 3, except: [hex(1)] });
    expect(closedRows(layout, describeClosed(layout, deep))).toEqual(deep);
  });
});

describe('a large trace', () => {
  const layout = layoutOf(largeTrace(20_000));

  it('starts with at most 2,000 rows shown', () => {
    const shown = visibleRows(layout, closedRows(layout, { kind: 'default' }), ALL);
    expect(shown.length).toBeLessThanOrEqual(2_000);
    expect(shown.length).toBeGreaterThan(1);
    expect(depthAtStart(small)).toBeUndefined();
  });

  it('is opened and closed whole', () => {
    const none = visibleRows(layout, closedRows(layout, { kind: 'these', ids: [] }), ALL);
    expect(none.length).toBe(layout.rowCount);
    expect(visibleRows(layout, closedRows(layout, { kind: 'allBut', ids: [] }), ALL)).toHaveLength(1);
  });
});

describe('a filter', () => {
  it('shows its rows with what leads to them, also below closed rows', () => {
    const keep = new Uint8Array(5);
    keep[2] = 1;
    const closed = closedRows(small, { kind: 'allBut', ids: [] });
    expect([...visibleRows(small, closed, { root: -1, keep })]).toEqual([0, 1, 2]);
  });

  it('shows one subtree alone', () => {
    const open = closedRows(small, { kind: 'default' });
    expect([...visibleRows(small, open, { root: 3, keep: undefined })]).toEqual([3, 4]);
  });
});
