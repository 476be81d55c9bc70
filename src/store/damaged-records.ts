/**
 * Files of the store that should be JSON and are not: what a crash of the machine cut off. Found by name, not through
 * the tables, which refuse to work with them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageRecord } from './image-table.ts';
import type { StorePaths } from './store-paths.ts';

export interface DamagedRecord {
  readonly of: 'images' | 'container' | 'step' | 'layer' | 'download';
  /** Id of the container, hex digits of the step's key or of the layer's DiffID; else the path below the store. */
  readonly subject: string;
  readonly path: string;
}

export function damagedRecords(paths: StorePaths): readonly DamagedRecord[] {
  const found: DamagedRecord[] = [];
  const look = (of: DamagedRecord['of'], subject: string, path: string): void => {
    if (!isJson(path)) found.push({ of, subject, path });
  };
  look('images', 'images.json', paths.images);
  for (const id of names(paths.containers)) look('container', id, join(paths.containers, id, 'record.json'));
  for (const name of names(paths.steps)) look('step', name.replace('.json', ''), join(paths.steps, name));
  for (const name of names(paths.layers)) look('layer', name.replace('.json', ''), join(paths.layers, name));
  const downloads = join('downloads', 'records');
  for (const name of names(join(paths.cache, downloads))) {
    look('download', join('cache', downloads, name), join(paths.cache, downloads, name));
  }
  return found;
}

const names = (folder: string): readonly string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => !/\.(new-\d+-\d+|dead)$/.test(name)) : [];

/** A file that is not there is none that is damaged. */
function isJson(path: string): boolean {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return true;
    throw error;
  }
  return parsed(text) !== undefined;
}

/** An object; every record is one. */
function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The records of an image table that are whole, whatever became of the rest. */
export function salvageImages(text: string): readonly ImageRecord[] {
  const found: ImageRecord[] = [];
  for (let at = text.indexOf('{"id":"'); at !== -1; at = text.indexOf('{"id":"', at + 1)) {
    const record = parsed(text.slice(at, endOfObject(text, at))) as ImageRecord | undefined;
    if (record !== undefined && isImage(record)) found.push(record);
  }
  return found;
}

function isImage({ id, names: known, manifest, created }: Partial<ImageRecord>): boolean {
  return (
    /^[0-9a-f]{64}$/.test(id ?? '') &&
    Array.isArray(known) &&
    known.every((name) => typeof name === 'string') &&
    typeof created === 'string' &&
    /^sha256:[0-9a-f]{64}$/.test(manifest?.digest ?? '') &&
    typeof manifest?.mediaType === 'string' &&
    Number.isSafeInteger(manifest.size)
  );
}

/** Where the object that begins at `start` ends, braces in strings not counted. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth += 1;
    else if (c === '}' && --depth === 0) return i + 1;
  }
  return text.length;
}
