import type { PlainArea } from '../types';

export const file: PlainArea<'file'> = {
  title: '打开文件',
};
