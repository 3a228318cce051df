/** The real server as a process of its own, on a free port of this machine, with nothing stored. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { startPeer } from './peer';

// Servers start in folders of their own, where a relative path would name something else.
const binary = resolve(process.env.ZIPKIND_BIN ?? new URL('../../target/debug/zipkind', import.meta.url).pathname);
const startWithinMs = 60_000;

/** A plain zipkin-server stands in for ours when this names the program that starts one: see `peer.ts`. */
const peer = process.env.ZIPKIN_SERVICE;

export class Zipkind {
  private constructor(
    private readonly end: () => Promise<void>,
    /** `http://127.0.0.1:port` */
    readonly origin: string,
  ) {}

  static async start(variables: Readonly<Record<string, string>> = {}): Promise<Zipkind> {
    if (peer !== undefined) {
      const { origin, stop } = await startPeer(peer, variables);
      return new Zipkind(stop, origin);
    }
    const directory = mkdtempSync(join(tmpdir(), 'zipkind-e2e-'));
    const child = spawn(binary, [], {
      cwd: directory,
      env: {
        SERVER_ADDRESS: '127.0.0.1',
        QUERY_PORT: '0',
        STORAGE_TYPE: 'mem',
        LOG_FORMAT: 'json',
        COLLECTOR_OTLP_HTTP_PORT: '0',
        COLLECTOR_OTLP_GRPC_PORT: '0',
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const end = async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    };
    return new Zipkind(end, `http://${await addressOf(child)}`);
  }

  /** The address of a page: `traces/…` below the UI's base. */
  ui(path: string): string {
    return `${this.origin}/zipkin/${path}`;
  }

  /** Stores spans; they can be read as soon as this returns. */
  async post(spans: readonly object[]): Promise<void> {
    const answer = await fetch(`${this.origin}/api/v2/spans`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(spans),
    });
    if (answer.status !== 202) throw new Error(`spans were refused: ${answer.status} ${await answer.text()}`);
  }

  stop(): Promise<void> {
    return this.end();
  }
}

/** The server says in its log where it serves. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the server did not start')), startWithinMs);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const address = addressIn(line);
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

function addressIn(line: string): string | undefined {
  try {
    const { address } = JSON.parse(line) as { address?: unknown };
    return typeof address === 'string' ? address : undefined;
  } catch {
    return undefined;
  }
}
