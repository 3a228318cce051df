import { FormatError } from './formats/values';

/** Larger files, and files that inflate to more, are refused: the page would run out of memory. */
export const fileBytesMax = 256 * 1024 * 1024;
export const inflatedBytesMax = 400 * 1024 * 1024;

/** The bytes of a file, inflated when it is gzip (told by its first bytes, not by its name). */
export async function inflate(file: Blob, bytesMax = inflatedBytesMax): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > fileBytesMax) throw new FormatError('badSize', { size: mebibytes(fileBytesMax) });
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (head[0] !== 0x1f || head[1] !== 0x8b) return new Uint8Array(await file.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = file.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new FormatError('badGzip');
    });
    if (done) break;
    size += value.byteLength;
    if (size > bytesMax) {
      await reader.cancel();
      throw new FormatError('badInflated', { size: mebibytes(bytesMax) });
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
