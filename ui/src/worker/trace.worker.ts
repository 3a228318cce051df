import { TraceHost } from './host';
import type { ToWorker } from './protocol';

const host = new TraceHost((message, transfer) => self.postMessage(message, { transfer: transfer ?? [] }));
self.addEventListener('message', (event: MessageEvent<ToWorker>) => void host.receive(event.data));
