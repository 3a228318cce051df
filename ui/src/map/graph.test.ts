import { describe, expect, test } from 'vitest';
import { csv } from '../widgets/csv';
import {
  around,
  busiest,
  drawable,
  edgeWidth,
  healthOf,
  linksAtOnceMax,
  parseLinks,
  type ServiceLink,
  serviceGraph,
  sortLinks,
} from './graph';
import { layOut } from './layout';
import { linkWeight } from './layoutCall';

const link = (parent: string, child: string, callCount = 1, errorCount = 0): ServiceLink => ({
  parent,
  child,
  callCount,
  errorCount,
});
const chain = serviceGraph([link('a', 'b', 10, 2), link('b', 'c', 5), link('c', 'd'), link('d', 'b')]);
const names = (graph: { nodes: readonly { name: string }[] }) => graph.nodes.map(({ name }) => name).join('');

describe('the graph of services', () => {
  test('is read strictly; links of the same services are added up', () => {
    const data = [
      { parent: 'a', child: 'b', callCount: 3 },
      { parent: 'a', child: 'b', callCount: 2, errorCount: 1 },
      { parent: '__proto__', child: 'constructor', callCount: 1 },
    ];
    expect(parseLinks(data)).toEqual([link('a', 'b', 5, 1), link('__proto__', 'constructor')]);
    expect(parseLinks({})).toBeUndefined();
    expect(parseLinks([{ parent: 'a' }])).toBeUndefined();
  });

  test('counts calls in and out, and the errors of calls to a service', () => {
    expect(chain.nodes.find(({ name }) => name === 'b')).toEqual({ name: 'b', callsIn: 11, callsOut: 5, errorsIn: 2 });
    expect(busiest(chain)).toBe('b');
  });

  test('is cut to some hops around a service, in both directions', () => {
    expect(names(around(chain, 'a', 1))).toBe('ab');
    expect(names(around(chain, 'a', 2))).toBe('abcd');
    expect(around(chain, 'a', 1).links).toHaveLength(1);
    expect(names(around(chain, 'unknown', 3))).toBe('');
  });

  test('draws the busiest links when there are too many', () => {
    const many = serviceGraph(Array.from({ length: 500 }, (_, i) => link(`s${i % 50}`, `t${i}`, i)));
    const drawn = drawable(many, undefined);
    expect(drawn.links).toHaveLength(linksAtOnceMax);
    expect(drawn.links.every(({ callCount }) => callCount >= 100)).toBe(true);
    expect(drawable(chain, undefined)).toBe(chain);
  });
});

test('an edge turns at the two limits of the configuration', () => {
  const limits = { lowErrorRate: 0.1, highErrorRate: 0.5 };
  expect([0, 0.09, 0.1, 0.49, 0.5, 1].map((share) => healthOf(share, limits))).toEqual([
    'ok',
    'ok',
    'warning',
    'warning',
    'critical',
    'critical',
  ]);
  expect(healthOf(0, { lowErrorRate: 0, highErrorRate: 0 })).toBe('ok');
});

test('edges are wider with more calls, within limits', () => {
  expect(edgeWidth(1, [1, 1_000])).toBeLessThan(edgeWidth(50, [1, 1_000]));
  expect(edgeWidth(1_000, [1, 1_000])).toBe(5);
  expect(edgeWidth(7, [7, 7])).toBe(2);
});

test('the table sorts by each column', () => {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const order = (by: Parameters<typeof sortLinks>[1], descending: boolean) =>
    sortLinks(chain.links, by, descending, compare)
      .map(({ parent }) => parent)
      .join('');
  expect(order('parent', true)).toBe('dcba');
  expect(order('calls', true)).toBe('abcd');
  expect(order('rate', true)[0]).toBe('a');
});

describe('the layout', () => {
  const place = (links: readonly ServiceLink[]) => {
    const graph = serviceGraph(links);
    return layOut({
      id: 1,
      nodes: graph.nodes.map(({ name }) => ({ name, width: 100, height: 40 })),
      links: links.map(({ parent, child, callCount }) => ({ parent, child, weight: linkWeight(callCount) })),
    });
  };

  test('puts callers left of what they call; cycles and self calls do not break it', () => {
    const { corners, paths } = place([...chain.links, link('a', 'a')]);
    const x = corners.map((corner) => corner.x);
    expect(x[0]).toBeLessThan(x[1] ?? 0);
    expect(x[1]).toBeLessThan(x[2] ?? 0);
    expect(paths[0]?.length).toBeGreaterThan(1);
    expect(paths.at(-1)).toEqual([]);
  });

  test('comes to an end for as many links as are drawn at once', () => {
    const links = Array.from({ length: linksAtOnceMax }, (_, i) =>
      link(`s${(i * 7) % 60}`, `s${(i * 13 + 5) % 60}`, 1 + ((i * 31) % 977)),
    );
    expect(place(links).paths).toHaveLength(linksAtOnceMax);
  });
});

test('CSV quotes, and cells that a spreadsheet would run are text', () => {
  expect(
    csv([
      ['a', 'b,c', 'd"e'],
      ['=1+1', '-x', 5],
      ['+1', '@a', '\tq'],
    ]),
  ).toBe('\ufeffa,"b,c","d""e"\r\n\'=1+1,\'-x,5\r\n\'+1,\'@a,\'\tq\r\n');
});
