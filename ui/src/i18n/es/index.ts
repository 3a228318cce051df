import { common } from './common';
import { file } from './file';
import { map } from './map';
import { search } from './search';
import { settings } from './settings';
import { trace } from './trace';

export const catalogue = { common, file, map, search, settings, trace };
