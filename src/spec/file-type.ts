/**
 * The media type of a file by its name or its first bytes: the same on every machine, whatever tables are installed.
 * @see WHATWG MIME Sniffing Standard, from which the signatures are
 */
const BY_EXTENSION: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  css: 'text/css',
  csv: 'text/csv',
  gif: 'image/gif',
  gz: 'application/gzip',
  htm: 'text/html',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  mjs: 'text/javascript',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  txt: 'text/plain',
  wasm: 'application/wasm',
  webp: 'image/webp',
  xml: 'text/xml',
  zip: 'application/zip',
  zst: 'application/zstd',
};

const SIGNATURES: readonly (readonly [signature: string, type: string])[] = [
  ['%PDF-', 'application/pdf'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['PK\x03\x04', 'application/zip'],
  ['\x28\xb5\x2f\xfd', 'application/zstd'],
  ['\0asm', 'application/wasm'],
];

/** @param head the first 512 bytes, or all there are */
export function detectFileType(name: string, head: Buffer): string {
  const dot = name.lastIndexOf('.');
  const known = dot === -1 ? undefined : BY_EXTENSION[name.slice(dot + 1).toLowerCase()];
  if (known !== undefined) return known;
  const text = head.toString('latin1');
  const signed = SIGNATURES.find(([signature]) => text.startsWith(signature));
  return signed?.[1] ?? (head.some(isBinary) ? 'application/octet-stream' : 'text/plain');
}

/** Bytes that no text has: control characters other than white space and escape. */
function isBinary(byte: number): boolean {
  return byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f);
}
