import type { PlainArea } from '../types';

export const trace: PlainArea<'trace'> = {
  title: '链路',
};
