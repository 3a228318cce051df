import type { TraceView } from './useTraceView';
export default function FlameView(_: { readonly view: TraceView }) {
  return null;
}
