import type { PlainArea } from '../types';

export const map: PlainArea<'map'> = {
  title: '服务图',
};
