import type { RomanceArea } from '../types';

export const file: RomanceArea<'file'> = {
  title: 'Abrir un archivo',
};
