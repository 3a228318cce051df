import 'i18next';
import type { English } from './types';

// A key that is not in the English catalogue is a type error, so it fails `npm run build` and `npm run check`.
declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common';
    resources: English;
    keySeparator: false;
  }
}
