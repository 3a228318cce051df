import type { RomanceArea } from '../types';

export const map: RomanceArea<'map'> = {
  title: 'Carte des services',
};
