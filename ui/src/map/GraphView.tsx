import {
  BaseEdge,
  type Edge,
  EdgeLabelRenderer,
  type EdgeProps,
  Handle,
  MiniMap,
  type Node,
  type NodeProps,
  Panel,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react';
import { CircleAlert, Maximize, Minus, Plus } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import './xyflow.css';
import type { MapAddress } from '../address/map';
import type { ServerConfig } from '../api/config';
import { type Format, useFormat } from '../i18n/format';
import type { ServiceLook } from '../theme/colours';
import { useTheme } from '../theme/theme';
import { showInvisible } from '../widgets/invisible';
import { PlainText } from '../widgets/PlainText';
import { ServiceCode } from '../widgets/ServiceTag';
import { LoadingPanel } from '../widgets/StatePanel';
import styles from './GraphView.module.css';
import { edgeWidth, errorShare, type Health, healthOf, linkKey, type ServiceGraph, type ServiceNode } from './graph';
import type { Point } from './layoutCall';
import { type LaidOut, nodeErrorShare, nodeHeight, nodeWidth, useLayout } from './useLayout';

type BoxNode = Node<
  { service: ServiceNode; health: Health; dimmed: boolean; focused: boolean; look: ServiceLook | undefined },
  'service'
>;
type LineEdge = Edge<
  { points: readonly Point[]; label: string; health: Health; shown: boolean; width: number; self: boolean },
  'call'
>;

interface GraphViewProps {
  readonly graph: ServiceGraph;
  readonly edge: MapAddress['edge'];
  readonly limits: ServerConfig['dependency'];
  readonly focus: string | undefined;
  /** Names that match what is looked for; undefined when nothing is. */
  readonly found: ReadonlySet<string> | undefined;
  readonly onFocus: (name: string) => void;
  /** How a service looks where its name does not decide. */
  readonly lookOf?: (name: string) => ServiceLook;
}

/** The whole graph when its boxes can still be told apart; else its middle, and the overview leads to the rest. */
const fitOptions = { padding: 0.08, minZoom: 0.2, maxZoom: 1.1, duration: 0 };
/** Fewer edges than this are labelled all the time; else those of the node under the pointer. */
const labelledEdgesMax = 24;

/** The services in layers from left to right. The table has the same facts. */
export default function GraphView(props: GraphViewProps) {
  return (
    <ReactFlowProvider>
      <Graph {...props} />
    </ReactFlowProvider>
  );
}

function Graph(props: GraphViewProps) {
  const { t } = useTranslation('map');
  const format = useFormat();
  const theme = useTheme();
  const { laidOut, error } = useLayout(props.graph);
  const [hovered, setHovered] = useState<string>();
  const { fitView } = useReactFlow();
  const nodes = useMemo(() => (laidOut ? makeNodes(laidOut, props) : []), [laidOut, props]);
  const edges = useMemo(
    () => (laidOut ? makeEdges(laidOut, props, hovered ?? props.focus, format) : []),
    [laidOut, props, hovered, format],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another layout wants another view
  useEffect(() => {
    void fitView(fitOptions);
  }, [laidOut, fitView]);
  if (error) throw error;
  if (!laidOut) return <LoadingPanel label={t('layingOut')} />;
  return (
    <ReactFlow
      className={styles.flow}
      aria-label={t('graphLabel')}
      colorMode={theme}
      nodes={nodes}
      edges={edges}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      elementsSelectable
      fitView
      fitViewOptions={fitOptions}
      minZoom={0.05}
      maxZoom={2}
      onlyRenderVisibleElements={nodes.length > 150}
      proOptions={{ hideAttribution: true }}
      onNodeClick={(_, node) => props.onFocus(node.data.service.name)}
      onNodeMouseEnter={(_, node) => setHovered(node.data.service.name)}
      onNodeMouseLeave={() => setHovered(undefined)}
      onKeyDown={(event) => {
        const id = (event.target as HTMLElement).closest<HTMLElement>('.react-flow__node')?.dataset.id;
        const node = nodes.find((one) => one.id === id);
        if (node && (event.key === 'Enter' || event.key === ' ')) {
          event.preventDefault();
          props.onFocus(node.data.service.name);
        }
      }}
      ariaLabelConfig={{
        'node.a11yDescription.default': t('nodeHelp'),
        'node.a11yDescription.keyboardDisabled': t('nodeHelp'),
        'edge.a11yDescription.default': t('nodeHelp'),
        'minimap.ariaLabel': t('minimap'),
      }}
    >
      <Zoom />
      {nodes.length > 20 && (
        <MiniMap
          pannable
          zoomable
          nodeColor="var(--line-strong)"
          maskColor="var(--veil)"
          bgColor="var(--surface)"
          className={styles.minimap ?? ''}
        />
      )}
    </ReactFlow>
  );
}

function Zoom() {
  const { t } = useTranslation('map');
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  return (
    <Panel position="bottom-left" className={styles.zoom ?? ''}>
      <button
        type="button"
        className="button icon"
        onClick={() => void zoomIn()}
        aria-label={t('zoomIn')}
        title={t('zoomIn')}
      >
        <Plus aria-hidden="true" />
      </button>
      <button
        type="button"
        className="button icon"
        onClick={() => void zoomOut()}
        aria-label={t('zoomOut')}
        title={t('zoomOut')}
      >
        <Minus aria-hidden="true" />
      </button>
      <button
        type="button"
        className="button icon"
        onClick={() => void fitView({ ...fitOptions, minZoom: 0.05 })}
        aria-label={t('fit')}
        title={t('fit')}
      >
        <Maximize aria-hidden="true" />
      </button>
    </Panel>
  );
}

function makeNodes({ graph, answer }: LaidOut, props: GraphViewProps): BoxNode[] {
  return graph.nodes.map((service, index) => {
    const share = nodeErrorShare(service);
    return {
      id: service.name,
      type: 'service',
      position: answer.corners[index] ?? { x: 0, y: 0 },
      width: nodeWidth(service),
      height: nodeHeight,
      ariaLabel: showInvisible(service.name),
      data: {
        service,
        health: healthOf(share, props.limits),
        dimmed: props.found !== undefined && !props.found.has(service.name),
        focused: props.focus === service.name,
        look: props.lookOf?.(service.name),
      },
    };
  });
}

function makeEdges(
  { graph, answer }: LaidOut,
  props: GraphViewProps,
  active: string | undefined,
  format: Format,
): LineEdge[] {
  const calls = graph.links.map(({ callCount }) => callCount);
  const range = [Math.min(...calls), Math.max(...calls)] as const;
  const few = graph.links.length <= labelledEdgesMax;
  return graph.links.map((link, index) => {
    const share = errorShare(link);
    const labels = {
      calls: format.number(link.callCount),
      errors: format.number(link.errorCount),
      rate: format.percent(share),
    };
    const touches = link.parent === active || link.child === active;
    return {
      id: linkKey(link.parent, link.child),
      type: 'call',
      source: link.parent,
      target: link.child,
      focusable: false,
      data: {
        points: answer.paths[index] ?? [],
        label: labels[props.edge],
        health: healthOf(share, props.limits),
        shown: few || touches,
        width: edgeWidth(link.callCount, range),
        self: link.parent === link.child,
      },
      ...(touches && active !== undefined && { className: styles.activeEdge ?? '' }),
    };
  });
}

function ServiceBox({ data }: NodeProps<BoxNode>) {
  const { t } = useTranslation('map');
  const format = useFormat();
  const { service, health } = data;
  const share = nodeErrorShare(service);
  const classes = [styles.box, data.dimmed && styles.dimmed, data.focused && styles.focused, styles[`node-${health}`]];
  return (
    <div className={classes.filter(Boolean).join(' ')}>
      <Handle type="target" position={Position.Left} className={styles.handle ?? ''} isConnectable={false} />
      <span className={styles.name}>
        <ServiceCode name={service.name} look={data.look} />
        <span className={styles.nameText} title={showInvisible(service.name)}>
          <PlainText text={service.name} />
        </span>
        {share > 0 && (
          <span className={styles.share} title={t('errorShare', { share: format.percent(share) })}>
            <CircleAlert aria-hidden="true" />
            {format.percent(share)}
          </span>
        )}
      </span>
      <span className={styles.facts}>
        {t('callsInOut', { in: format.compact(service.callsIn), out: format.compact(service.callsOut) })}
      </span>
      <Handle type="source" position={Position.Right} className={styles.handle ?? ''} isConnectable={false} />
    </div>
  );
}

function CallLine({ id, data, sourceX, sourceY, targetX, targetY }: EdgeProps<LineEdge>) {
  if (!data) return null;
  const ends = { from: { x: sourceX, y: sourceY }, to: { x: targetX, y: targetY } };
  const path = data.self ? loop(ends.from) : smooth([ends.from, ...data.points.slice(1, -1), ends.to]);
  const middle = data.self
    ? { x: sourceX + 8, y: sourceY - 46 }
    : (data.points[Math.floor(data.points.length / 2)] ?? { x: (sourceX + targetX) / 2, y: (sourceY + targetY) / 2 });
  return (
    <>
      <BaseEdge
        id={id}
        path={path}
        className={`${styles.edge} ${styles[`edge-${data.health}`]}`}
        style={{ strokeWidth: data.width }}
      />
      {data.shown && (
        <EdgeLabelRenderer>
          <span
            className={`${styles.label} ${styles[`label-${data.health}`]}`}
            style={{ transform: `translate(-50%, -50%) translate(${middle.x}px, ${middle.y}px)` }}
          >
            {data.label}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

/** A curve through the bends, flat where it leaves and where it arrives. */
function smooth(points: readonly Point[]): string {
  const [start, ...rest] = points;
  if (!start) return '';
  let path = `M ${start.x} ${start.y}`;
  let last = start;
  for (const point of rest) {
    const reach = Math.max(12, Math.abs(point.x - last.x) / 2) * (point.x >= last.x ? 1 : -1);
    path += ` C ${last.x + reach} ${last.y}, ${point.x - reach} ${point.y}, ${point.x} ${point.y}`;
    last = point;
  }
  return path;
}

/** A service that calls itself. */
function loop({ x, y }: Point): string {
  return `M ${x} ${y - 8} C ${x + 40} ${y - 60}, ${x - 40} ${y - 66}, ${x - 30} ${y - nodeHeight / 2}`;
}

const nodeTypes = { service: ServiceBox };
const edgeTypes = { call: CallLine };
