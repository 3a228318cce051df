import type { RomanceArea } from '../types';

export const map: RomanceArea<'map'> = {
  title: 'Mapa de servicios',
};
