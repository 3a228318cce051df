// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from '../model/build';
import { closedRows, visibleRows } from '../model/collapse';
import { span } from '../model/testing';
import { axisTicks } from './axis';
import { safeFileName } from './download';
import { inkOn } from './flamePaint';
import { markedParts } from './Marked';
import { treeKey } from './treeKeys';
import { nextRow } from './useTraceView';
import { panned, zoomedBy } from './zoom';

const { layout } = layOut(
  readTrace([span(1, undefined, 0, 100), span(2, 1, 1, 50), span(3, 2, 2, 20), span(4, 1, 60, 20), span(5, 4, 61, 10)]),
  false,
);
const shown = (ids: string[]) => {
  const closed = closedRows(layout, { kind: 'these', ids });
  return { layout, closed, visible: visibleRows(layout, closed, { root: -1, keep: undefined }) };
};

describe('keys of the tree', () => {
  it.each([
    ['ArrowDown', 0, { select: 1 }],
    ['ArrowDown', 4, { select: 4 }],
    ['ArrowUp', 0, { select: 0 }],
    ['ArrowRight', 0, { select: 1 }],
    ['ArrowRight', 2, {}],
    ['ArrowLeft', 1, { close: [1] }],
    ['ArrowLeft', 2, { select: 1 }],
    ['Home', 3, { select: 0 }],
    ['End', 0, { select: 4 }],
    ['PageDown', 0, { select: 2 }],
    ['*', 1, { open: [1, 3] }],
    ['Enter', 2, { select: 2, detail: true }],
    ['x', 2, undefined],
  ])('%s on row %d', (key, row, expected) => {
    expect(treeKey(key, row, shown([]), 2)).toEqual(expected);
  });

  it('open a closed row before they go into it, and pass over what is hidden', () => {
    const view = shown(['2']);
    expect(treeKey('ArrowRight', 1, view, 2)).toEqual({ open: [1] });
    expect(treeKey('ArrowDown', 1, view, 2)).toEqual({ select: 3 });
  });
});

describe('stepping', () => {
  it('goes round the end in both directions', () => {
    const wanted = (row: number) => row === 1 || row === 3;
    expect([nextRow(5, -1, 1, wanted), nextRow(5, 1, 1, wanted), nextRow(5, 3, 1, wanted)]).toEqual([1, 3, 1]);
    expect([nextRow(5, -1, -1, wanted), nextRow(5, 1, -1, wanted)]).toEqual([3, 3]);
    expect(nextRow(5, 0, 1, () => false)).toBe(-1);
  });
});

describe('zoom', () => {
  it('keeps the time under the pointer where it is', () => {
    expect(zoomedBy({ from: 0, to: 100 }, 0.5, 25, 100)).toEqual({ from: 12.5, to: 62.5 });
    expect(zoomedBy({ from: 20, to: 60 }, 4, 30, 100)).toBeUndefined();
  });

  it('stays inside the trace', () => {
    expect(panned({ from: 80, to: 100 }, 1, 100)).toEqual({ from: 80, to: 100 });
    expect(panned({ from: 5, to: 25 }, -1, 100)).toEqual({ from: 0, to: 20 });
  });
});

describe('labels of the axis', () => {
  it.each([
    [0, 151_000, 4, ['0', '50 ms', '100 ms', '150 ms']],
    [0, 1_500_000, 4, ['0', '0.5 s', '1 s', '1.5 s']],
    [1_000_000, 1_000_030, 3, ['1 s', '1.00001 s', '1.00002 s', '1.00003 s']],
    [0, 600_000_000, 5, ['0', '2 min', '4 min', '6 min', '8 min', '10 min']],
    [60_000_000, 120_000_000, 4, ['1:00', '1:15', '1:30', '1:45', '2:00']],
  ])('from %d to %d', (from, to, countMax, expected) => {
    expect(axisTicks(from, to, countMax, 'en').map(({ label }) => label)).toEqual(expected);
  });
});

describe('marks', () => {
  it('cut a text at the words, whatever the case; overlapping words are told once', () => {
    const parts = (text: string, words: string[]) =>
      markedParts(text, words).map((p) => (p.marked ? `[${p.text}]` : p.text));
    expect(parts('Get /cart', ['get', 'CART'])).toEqual(['[Get]', ' /', '[cart]']);
    expect(parts('aaaa', ['aa'])).toEqual(['[aa]', '[aa]']);
    expect(parts('abc', ['ab', 'bc']).join('')).toBe('[ab][c]');
    expect(parts('none', ['x'])).toEqual(['none']);
  });
});

describe('colours and files', () => {
  it('have ink that can be read on any of them', () => {
    expect(inkOn([255, 255, 255])).toBe('#000');
    expect(inkOn([56, 48, 143])).toBe('#fff');
  });

  it('have names that every system takes', () => {
    expect(safeFileName('../a b:c?.json')).toBe('.._a_b_c_.json');
    expect(safeFileName('///')).toBe('_');
  });
});
