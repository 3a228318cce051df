import type { TraceView } from './useTraceView';
export default function StatsView(_: { readonly view: TraceView }) {
  return null;
}
