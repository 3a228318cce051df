import { layOut } from './layout';
import type { LayoutRequest } from './layoutCall';

/** Lays the service map out away from the page. */
self.addEventListener('message', ({ data }: MessageEvent<LayoutRequest>) => self.postMessage(layOut(data)));
