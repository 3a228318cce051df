import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import type { Flame } from '../model/flame';
import { PlainText } from '../widgets/PlainText';
import { type Column, DataGrid } from './DataGrid';
import { ServiceName } from './ServiceName';
import { shareText } from './share';
import type { TraceView } from './useTraceView';

/** The boxes of the flame graph as a table that opens and closes. */
export function FlameTable({ view, flame }: { readonly view: TraceView; readonly flame: Flame }) {
  const { layout, focus } = view;
  const { t } = useTranslation('trace');
  const format = useFormat();
  const [closed, setClosed] = useState<{ flame: Flame; boxes: ReadonlySet<number> }>({ flame, boxes: new Set() });
  const shut = closed.flame === flame ? closed.boxes : NONE;
  const root = focus < 0 ? -1 : flame.boxOf[focus]!;
  const shown = useMemo(() => shownBoxes(flame, shut, root), [flame, shut, root]);
  const depth = useMemo(() => depths(flame), [flame]);
  const at = (index: number) => shown[index]!;
  const us = (value: number) =>
    Number.isNaN(value) ? '–' : <span title={format.durationExact(value)}>{format.duration(value)}</span>;
  const columns: Column[] = [
    {
      id: 'name',
      label: t('columnSpan'),
      width: 'minmax(18rem, 1fr)',
      cell: (i) => (
        <>
          <ServiceName layout={layout} service={layout.service[flame.row[at(i)]!]!} />{' '}
          <span className="muted">
            <PlainText text={layout.operations[layout.operation[flame.row[at(i)]!]!]!} />
          </span>
        </>
      ),
    },
    {
      id: 'count',
      label: t('columnCount'),
      width: '5rem',
      number: true,
      cell: (i) => format.number(flame.rows[at(i)]!),
    },
    { id: 'total', label: t('columnTotal'), width: '6rem', number: true, cell: (i) => us(flame.totalOf[at(i)]!) },
    {
      id: 'share',
      label: t('columnShare'),
      width: '5rem',
      number: true,
      cell: (i) =>
        flame.totalOf[at(i)]! >= 0 && flame.totalUs > 0
          ? shareText(format, flame.totalOf[at(i)]! / flame.totalUs)
          : '–',
    },
    { id: 'self', label: t('factSelf'), width: '6rem', number: true, cell: (i) => us(flame.selfOf[at(i)]!) },
    {
      id: 'errors',
      label: t('columnErrors'),
      width: '5rem',
      number: true,
      cell: (i) => (flame.errors[at(i)]! > 0 ? format.number(flame.errors[at(i)]!) : ''),
    },
  ];
  const toggle = (index: number) => {
    const boxes = new Set(shut);
    if (!boxes.delete(at(index))) boxes.add(at(index));
    setClosed({ flame, boxes });
  };
  const selected = view.selected < 0 ? -1 : shown.indexOf(flame.boxOf[view.selected]!);
  return (
    <DataGrid
      label={t('viewFlame')}
      columns={columns}
      count={shown.length}
      keyOf={at}
      selected={selected}
      onChoose={(i) => view.select(flame.row[at(i)]!, { detail: true })}
      tree={{
        level: (i) => depth[at(i)]! - (root < 0 ? 0 : depth[root]!),
        expanded: (i) => (flame.size[at(i)]! > 1 ? !shut.has(at(i)) : undefined),
        toggle,
      }}
    />
  );
}

const NONE: ReadonlySet<number> = new Set();

function shownBoxes(flame: Flame, closed: ReadonlySet<number>, root: number): Int32Array {
  const first = Math.max(0, root);
  const end = root < 0 ? flame.count : root + flame.size[root]!;
  const shown = new Int32Array(end - first);
  let count = 0;
  for (let box = first; box < end; box += closed.has(box) ? flame.size[box]! : 1) shown[count++] = box;
  return shown.subarray(0, count);
}

/** Parents stand before their children. */
function depths(flame: Flame): Int32Array {
  const depth = new Int32Array(flame.count);
  for (let box = 0; box < flame.count; box++) {
    const parent = flame.parent[box]!;
    depth[box] = parent < 0 ? 0 : depth[parent]! + 1;
  }
  return depth;
}
