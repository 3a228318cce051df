import type { RomanceArea } from '../types';

export const file: RomanceArea<'file'> = {
  title: 'Ouvrir un fichier',
};
