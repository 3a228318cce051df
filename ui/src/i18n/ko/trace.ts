import type { PlainArea } from '../types';

export const trace: PlainArea<'trace'> = {
  title: '트레이스',
};
