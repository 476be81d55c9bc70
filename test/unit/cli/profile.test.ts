/** `--cpu-profile` and `--memory-profile`, as the program writes them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Flags } from '../../../src/cli/flags.ts';
import { profiled } from '../../../src/cli/profile.ts';

const flagsOf = (values: Readonly<Record<string, string>>): Flags =>
  ({ string: (name: string) => values[name] }) as unknown as Flags;

it('writes where time and memory went, also when the work fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-profile-'));
  const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  try {
    const result = await profiled(flagsOf({ 'cpu-profile': join(folder, 'cpu') }), async () => 7);
    assert.equal(result, 7);
    assert.ok(Array.isArray(read('cpu')['nodes']) && Array.isArray(read('cpu')['timeDeltas']));
    const failing = profiled(flagsOf({ 'memory-profile': join(folder, 'memory') }), async () => {
      throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
    assert.ok('head' in read('memory'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('does nothing unless asked', async () => {
  assert.equal(await profiled(flagsOf({}), async () => 'done'), 'done');
});
