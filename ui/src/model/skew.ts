/**
 * Clock skew as zipkin corrects it: when a server on another host starts not after its client, the server's clock is
 * behind. Its spans move so that the server lies in the middle of its client's time.
 */
import type { CleanSpan } from './clean';
import { type Endpoint, sameAddress } from './span';
import { type Children, EXTRA_ROOT, parentsFirst, type Tree } from './tree';

/** One finding: `shiftUs` was added to the times of that service below span `span`. */
export interface SkewFinding {
  span: number;
  service: string;
  address: string;
  shiftUs: number;
}

export interface SkewResult {
  /** Microseconds added to the times of each span. */
  shift: Float64Array;
  findings: SkewFinding[];
  /** False when there is no single root to compare with: then nothing is corrected. */
  checked: boolean;
}

interface Skew {
  endpoint: Endpoint;
  /** How far the server's clock is ahead, negative when behind. */
  amount: number;
}

export function correctSkew(spans: readonly CleanSpan[], tree: Tree, children: Children): SkewResult {
  const shift = new Float64Array(spans.length);
  const findings: SkewFinding[] = [];
  const checked = tree.root >= 0 && !tree.tops.some((i) => tree.mark[i] === EXTRA_ROOT);
  if (!checked) return { shift, findings, checked };

  const inherited: (Skew | undefined)[] = new Array(spans.length);
  for (const i of parentsFirst(tree.tops, children)) {
    const span = spans[i]!;
    const p = tree.parent[i]!;
    if (p < 0) continue;
    let skew = inherited[p];
    if (skew && sameAddress(skew.endpoint, span.local)) shift[i] = -skew.amount;
    const parent = spans[p]!;
    const own = skewBetween(parent, parent.timestamp + shift[p]!, span, span.timestamp + shift[i]!);
    if (own) {
      shift[i]! -= own.amount;
      skew = own;
      findings.push({
        span: i,
        service: span.local?.serviceName ?? '',
        address: own.endpoint.ipv6 ?? own.endpoint.ipv4 ?? '',
        shiftUs: -own.amount,
      });
    }
    inherited[i] = skew;
  }
  return { shift, findings, checked };
}

/** How far the clock of `server` is off, seen from its client; undefined when it is not or cannot be known. */
export function skewBetween(
  client: CleanSpan,
  clientStart: number,
  server: CleanSpan,
  serverStart: number,
): Skew | undefined {
  if (client.kind !== 'CLIENT' || server.kind !== 'SERVER') return undefined;
  if (!client.timestamp || !server.timestamp || serverStart > clientStart) return undefined;
  const endpoint = server.local;
  if (!endpoint || !client.local || sameAddress(endpoint, client.local)) return undefined;
  // Without an address nothing could be told to run on the same host.
  if (!endpoint.ipv4 && !endpoint.ipv6) return undefined;
  const comparable = client.duration > 0 && server.duration > 0 && client.duration >= server.duration;
  const latency = comparable ? (client.duration - server.duration) / 2 : 1;
  const amount = serverStart - latency - clientStart;
  return amount === 0 ? undefined : { endpoint, amount };
}
