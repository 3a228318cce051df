import type { PlainArea } from '../types';

export const file: PlainArea<'file'> = {
  title: '파일 열기',
};
