import { csv, download } from '../widgets/csv';

/** Names of data become part of file names: only what every system takes. */
export function safeFileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 100) || 'trace';
}

export function saveJson(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  download(safeFileName(name), bytes, 'application/json');
}

export function saveText(text: string, name: string): void {
  download(safeFileName(name), text, 'text/plain;charset=utf-8');
}

/** Rows as a CSV file; what is not known is an empty cell. */
export function saveCsv(rows: Iterable<readonly (string | number)[]>, name: string): void {
  const known = Array.from(rows, (row) => row.map((cell) => (Number.isNaN(cell) ? '' : cell)));
  download(safeFileName(name), csv(known), 'text/csv;charset=utf-8');
}
