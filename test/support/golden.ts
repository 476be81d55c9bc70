/** Texts that people read, kept beside the tests in `test/golden` and compared whole. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The sources of the tests, not their compiled form. */
const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../test/golden');

/**
 * Compares with the kept text; with UPDATE_GOLDEN=1 the kept text is written anew.
 * @param name path beneath `test/golden`
 */
export function assertGolden(name: string, actual: string): void {
  const path = resolve(folder, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
    return;
  }
  let kept: string;
  try {
    kept = readFileSync(path, 'utf8');
  } catch {
    assert.fail(`there is no test/golden/${name}: write it with UPDATE_GOLDEN=1 and read it`);
  }
  assert.equal(actual, kept, `test/golden/${name} differs; UPDATE_GOLDEN=1 writes it anew`);
}

/** Sequences of a terminal as words, so that a golden file can be read: ESC becomes `␛`. */
export function visible(text: string): string {
  return text.replaceAll('\x1b', '␛').replaceAll('\r', '␍');
}
