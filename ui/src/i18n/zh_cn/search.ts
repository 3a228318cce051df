import type { PlainArea } from '../types';

export const search: PlainArea<'search'> = {
  title: '搜索',
};
