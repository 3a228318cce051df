import type { PlainArea } from '../types';

export const map: PlainArea<'map'> = {
  title: '서비스 맵',
};
