/** Layers made to escape through a race, or to take forever. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { applyTar } from '../../../src/rootfs/apply-tar.ts';
import { dir, file, type Member, streamOf, symlink, tarOf } from '../../support/layer-tar.ts';
import { place, skipDriver } from '../../support/snapshot-place.ts';

/** CPU seconds of this process. Others on the machine change the time that passes, not this. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const chain = (depth: number): string => 'd/'.repeat(depth);

interface Trap {
  readonly title: string;
  readonly count: number;
  readonly lower: (n: number) => Member[];
  readonly layer: (n: number) => Member[];
}

const TRAPS: readonly Trap[] = [
  {
    title: 'whiteouts in one directory',
    count: 2000,
    lower: (n) => times(n, (i) => file(`d/f${i}`)),
    layer: (n) => times(n, (i) => file(`d/.wh.f${i}`)),
  },
  {
    title: 'whiteouts of nothing',
    count: 2000,
    lower: () => [dir('d')],
    layer: (n) => times(n, (i) => file(`d/.wh.f${i}`)),
  },
  {
    title: 'opaque markers between the files of one directory',
    count: 2000,
    lower: (n) => times(n, (i) => file(`d/old${i}`)),
    layer: (n) => times(n, (i) => [file(`d/f${i}`), file('d/.wh..wh..opq')]).flat(),
  },
  {
    title: 'opaque markers up one chain that the layer holds open',
    count: 200,
    lower: (n) => times(n, (i) => file(`${chain(i)}side`)),
    layer: (n) => [file(`${chain(n)}leaf`), ...times(n, (i) => file(`${chain(n - i)}.wh..wh..opq`))],
  },
  {
    title: 'opaque markers down one chain, again and again',
    count: 150,
    lower: (n) => times(n, (i) => file(`${chain(i)}side`)),
    layer: (n) => [file(`${chain(n)}leaf`), ...times(n * 10, (i) => file(`${chain(i % n)}.wh..wh..opq`))],
  },
  {
    title: 'one name again and again',
    count: 2000,
    lower: () => [],
    layer: (n) => times(n, (i) => (i % 2 === 0 ? file('d/x') : dir('d/x'))),
  },
  {
    title: 'links that keep changing under a path',
    count: 2000,
    lower: () => [dir('a'), dir('b')],
    layer: (n) => times(n, (i) => [symlink('l', i % 2 === 0 ? 'a' : 'b'), file('l/f')]).flat(),
  },
];

describe('hostile layers', { skip: skipDriver('vfs') }, () => {
  for (const { title, count, lower, layer } of TRAPS) {
    it(`B26: ${title} take time in proportion`, async () => {
      // Of several tries the quickest counts: what other programs do meanwhile only ever adds. Per byte of the archive,
      // because the names down a chain make that grow faster than the number of entries.
      const measure = async (n: number): Promise<number> => {
        const archive = tarOf(...layer(n));
        let least = Number.POSITIVE_INFINITY;
        for (let round = 0; round < 3; round++) {
          const root = place(true);
          await applyTar(streamOf(tarOf(...lower(n))), root);
          least = Math.min(least, await cpuSeconds(() => applyTar(streamOf(archive), root)));
        }
        return (least + 0.02) / archive.length;
      };
      await measure(count / 10);
      const [once, four] = [await measure(count), await measure(count * 4)];
      // Quadratic work would be four times as much per byte.
      assert.ok(four < 3 * once, `${once * 1e9} ns for each byte, and ${four * 1e9} with four times as many entries`);
    });
  }

  it('B15: a directory that is swapped with a link while files are written leads nowhere else', async () => {
    const base = place(true);
    for (const name of ['root', 'root/d', 'canary']) mkdirSync(join(base, name));
    symlinkSync(join(base, 'canary'), join(base, 'root/swap'));
    const libc = new URL('../../../src/sys/libc.js', import.meta.url).href;
    const swapper = new Worker(
      `import(${JSON.stringify(libc)}).then(({ lazy, cString, AT_FDCWD }) => {
        const renameat2 = lazy('int renameat2(int, const uint8_t*, int, const uint8_t*, uint32_t)');
        const [a, b] = [${JSON.stringify(join(base, 'root/d'))}, ${JSON.stringify(join(base, 'root/swap'))}].map(cString);
        const { parentPort } = require('node:worker_threads');
        const swap = () => { for (let i = 0; i < 2000; i++) renameat2(AT_FDCWD, a, AT_FDCWD, b, 2); setImmediate(swap); };
        parentPort.postMessage('ready');
        swap();
      });`,
      { eval: true },
    );
    await new Promise((resolve) => swapper.once('message', resolve));
    const archive = tarOf(
      ...times(100, (i) => [file(`d/f${i}`, 'x'), file(`d/e${i}/f`), file(`d/.wh.f${i - 1}`), dir(`d/e${i}`)]).flat(),
    );
    for (let round = 0; round < 20; round++) {
      // Swapped at a bad moment an entry may fail; it must not land outside.
      await applyTar(streamOf(archive), join(base, 'root')).catch(() => {});
    }
    await swapper.terminate();
    assert.deepEqual(readdirSync(join(base, 'canary')), []);
    assert.deepEqual(readdirSync(base).sort(), ['canary', 'root']);
  });
});
