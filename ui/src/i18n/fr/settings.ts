import type { RomanceArea } from '../types';

export const settings: RomanceArea<'settings'> = {
  title: 'Réglages',
};
