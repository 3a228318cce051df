import { type LayoutRequest, layOut } from './layout';

/** Lays the service map out away from the page. */
self.addEventListener('message', ({ data }: MessageEvent<LayoutRequest>) => self.postMessage(layOut(data)));
