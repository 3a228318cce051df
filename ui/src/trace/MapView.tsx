import type { TraceView } from './useTraceView';
export default function MapView(_: { readonly view: TraceView }) {
  return null;
}
