import type { English } from '../i18n/types';

type CommonKey = keyof English['common'];
export interface ShortcutText {
  readonly keys: readonly string[];
  readonly text: Extract<CommonKey, `key${string}`>;
}

/** What the help shows. The keys themselves are bound where they act. */
export const shortcutGroups: readonly {
  readonly title: Extract<CommonKey, `keys${string}`>;
  readonly entries: readonly ShortcutText[];
}[] = [
  {
    title: 'keysEverywhere',
    entries: [
      { keys: ['/'], text: 'keySearchBox' },
      { keys: ['g s'], text: 'keyGoSearch' },
      { keys: ['g m'], text: 'keyGoMap' },
      { keys: ['g t'], text: 'keyGoTraceId' },
      { keys: ['t'], text: 'keyTheme' },
      { keys: ['?'], text: 'keyHelp' },
      { keys: ['Esc'], text: 'keyClose' },
    ],
  },
  {
    title: 'keysSearch',
    entries: [
      { keys: ['Ctrl Enter'], text: 'keyRun' },
      { keys: ['↓', 'Enter', 'Tab'], text: 'keyAccept' },
      { keys: ['Backspace'], text: 'keyEditChip' },
      { keys: ['Shift ←→↑↓'], text: 'keyBrush' },
    ],
  },
  {
    title: 'keysTrace',
    entries: [
      { keys: ['↑', '↓'], text: 'keyRow' },
      { keys: ['←', '→'], text: 'keyFold' },
      { keys: ['Home', 'End'], text: 'keyEnds' },
      { keys: ['Enter'], text: 'keyDetail' },
      { keys: ['*'], text: 'keySiblings' },
      { keys: ['[', ']'], text: 'keyAll' },
      { keys: ['e', 'E'], text: 'keyErrors' },
      { keys: ['c'], text: 'keyCritical' },
      { keys: ['f', 'Ctrl f'], text: 'keyFind' },
      { keys: ['n', 'N'], text: 'keyMatch' },
      { keys: ['w', 's'], text: 'keyZoom' },
      { keys: ['a', 'd'], text: 'keyPan' },
      { keys: ['0'], text: 'keyZoomReset' },
      { keys: ['r'], text: 'keyFocus' },
      { keys: ['1', '…', '6'], text: 'keyViews' },
    ],
  },
];
