/**
 * A plain zipkin-server that shows our pages: what is below `/zipkin/` comes from `dist` as it was built, without the
 * element in which our server tells its extensions; the API is the peer's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';

const dist = process.env.UI_DIST ?? new URL('../dist/', import.meta.url).pathname;
const mediaTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
};
/** Paths that are pages of the application. */
const pages = /^(index\.html|traces\/[^/]*|dependency|traceViewer|settings)?$/;

export interface Peer {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  stop(): Promise<void>;
}

export async function startPeer(program: string, variables: Readonly<Record<string, string>>): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'zipkin-e2e-'));
  const port = await freePort();
  execFileSync(program, ['start', directory, String(port)], {
    env: { ...process.env, JAVA_OPTS: '-Xmx256m', ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const front = createServer((asked, answer) => serve(asked, answer, port));
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    stop: async () => {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
      execFileSync(program, ['stop', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function serve(asked: IncomingMessage, answer: ServerResponse, port: number): void {
  const { pathname } = new URL(asked.url ?? '/', 'http://front');
  const below = /^\/zipkin\/(?!api\/|config\.json)(.*)$/.exec(pathname)?.[1];
  if (below === undefined) {
    forward(asked, answer, port);
    return;
  }
  const path = join(dist, normalize(pages.test(below) ? 'index.html' : below));
  if (!path.startsWith(dist) || !existsSync(path)) {
    answer.writeHead(404).end();
    return;
  }
  answer.writeHead(200, { 'content-type': mediaTypes[extname(path)] ?? 'application/octet-stream' });
  answer.end(readFileSync(path));
}

function forward(asked: IncomingMessage, answer: ServerResponse, port: number): void {
  const { method = 'GET', url = '/', headers } = asked;
  const sent = request({ host: '127.0.0.1', port, method, path: url, headers }, (from) => {
    answer.writeHead(from.statusCode ?? 502, from.headers);
    from.pipe(answer);
  });
  sent.on('error', () => answer.writeHead(502).end());
  asked.pipe(sent);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket().listen(0, '127.0.0.1', () => {
      const { port } = socket.address() as AddressInfo;
      socket.close(() => resolve(port));
    });
  });
}
