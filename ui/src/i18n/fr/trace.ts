import type { RomanceArea } from '../types';

export const trace: RomanceArea<'trace'> = {
  title: 'Trace',
};
