import type { RomanceArea } from '../types';

export const search: RomanceArea<'search'> = {
  title: 'Rechercher',
};
