import type { TraceView } from './useTraceView';
export default function JsonView(_: { readonly view: TraceView }) {
  return null;
}
