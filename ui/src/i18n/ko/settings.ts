import type { PlainArea } from '../types';

export const settings: PlainArea<'settings'> = {
  title: '설정',
};
