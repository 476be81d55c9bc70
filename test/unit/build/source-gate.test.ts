import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { FindImage } from '../../../src/build/find-image.ts';
import { readLock, writeLock } from '../../../src/build/lock-file.ts';
import { SourceGate } from '../../../src/build/source-gate.ts';
import type { Engine } from '../../../src/container/engine.ts';
import type { BuildOptions } from '../../../src/container/verb-options.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-gate-'));
after(() => rmSync(work, { recursive: true, force: true }));

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const URL = 'https://example.org/file';
const AMD64 = { os: 'linux', architecture: 'amd64' };

async function gateOf(o: BuildOptions) {
  const events: BuildEvent[] = [];
  const engine = { cwd: work, env: {}, emit: (event: BuildEvent) => events.push(event) } as unknown as Engine;
  return { engine, events, gate: await SourceGate.open(engine, o) };
}

/** Gives another manifest each time it is asked. */
function movingTag(): FindImage {
  let n = 0;
  return async () => {
    n += 1;
    const record = { id: '', names: [], manifest: { mediaType: '', digest: digest(String(n)), size: 1 }, created: '' };
    return { image: { record } as never, name: 'docker.io/library/a:1' };
  };
}

describe('a build that is not locked', () => {
  it('may read two things of one name', async () => {
    const { engine, events, gate } = await gateOf({});
    gate.requireFetch(URL, digest('a'));
    gate.requireFetch(URL, digest('b'));
    const find = gate.images(movingTag());
    await find(engine, 'a:1', { platform: AMD64 });
    await find(engine, 'a:1', { platform: AMD64 });
    gate.end();
    assert.deepEqual(events, []);
  });

  it('and writes a lock file may not', async () => {
    const { engine, gate } = await gateOf({ lock: 'moving.lock' });
    gate.requireFetch(URL, digest('a'));
    const isMoved = (error: unknown) => isBuilderError(error, 'lock.mismatch') && /cannot lock/.test(error.message);
    assert.throws(() => gate.requireFetch(URL, digest('b')), isMoved);
    const find = gate.images(movingTag());
    await find(engine, 'a:1', { platform: AMD64 });
    await assert.rejects(find(engine, 'a:1', { platform: AMD64 }), isMoved);
  });

  it('writes what it read, and says so once', async () => {
    for (const told of [1, 0]) {
      const { engine, events, gate } = await gateOf({ lock: 'a.lock' });
      gate.requireFetch(URL, digest('a'));
      await gate.images(movingTag())(engine, 'a:1', { platform: AMD64 });
      gate.end();
      assert.equal(events.filter(({ type }) => type === 'note').length, told);
    }
    assert.deepEqual(readLock(join(work, 'a.lock')), {
      images: [{ reference: 'a:1', platform: 'linux/amd64', name: 'docker.io/library/a:1', digest: digest('1') }],
      http: [{ url: URL, digest: digest('a') }],
      git: [],
    });
  });
});

describe('a locked build', () => {
  const commit = 'c'.repeat(40);
  const lock = {
    images: [],
    http: [
      { url: URL, digest: digest('a') },
      { url: `${URL}2`, digest: digest('b') },
    ],
    git: [{ url: 'https://example.org/r.git#main', commit }],
  };

  it('names the entries it has no use for', async () => {
    writeLock(join(work, 'b.lock'), lock);
    const { events, gate } = await gateOf({ lock: 'b.lock', locked: true });
    gate.requireFetch(URL, undefined);
    gate.end();
    assert.deepEqual(events, [
      {
        type: 'warning',
        code: 'lock.stale',
        text: `the lock file ${join(work, 'b.lock')} has entries this build does not need: ${URL}2, https://example.org/r.git#main`,
      },
    ]);
  });

  it('holds checksums of the Dockerfile against the lock', async () => {
    writeLock(join(work, 'c.lock'), lock);
    const { gate } = await gateOf({ lock: 'c.lock', locked: true });
    const isOther = (error: unknown) => isBuilderError(error, 'lock.mismatch');
    assert.throws(() => gate.requireFetch(URL, digest('f')), isOther);
    assert.throws(() => gate.requireFetch('https://example.org/r.git#main', 'abcdef1'), isOther);
    gate.requireFetch('https://example.org/r.git#main', commit.slice(0, 10));
    gate.requireFetch(`https://user:secret@${URL.slice(8)}`, digest('a'));
  });
});

describe('the platforms of an image', () => {
  const S390X = { os: 'linux', architecture: 's390x' };
  const elsewhere = async () => [AMD64, S390X];
  const entry = (reference: string, platform: string) => ({ reference, platform, name: '', digest: digest('a') });

  it('are those it has elsewhere, and with an obeyed lock those the lock has it for', async () => {
    assert.deepEqual(await (await gateOf({})).gate.platformsOf('a:1', elsewhere), [AMD64, S390X]);
    const images = [entry('a:1', 'linux/s390x'), entry('b:1', 'linux/amd64')];
    writeLock(join(work, 'd.lock'), { images, http: [], git: [] });
    const { gate } = await gateOf({ lock: 'd.lock', locked: true });
    const never = () => Promise.reject(new Error('a locked build asks nobody'));
    assert.deepEqual(await gate.platformsOf('a:1', never), [S390X]);
    await assert.rejects(gate.platformsOf('c:1', never), (error) => isBuilderError(error, 'lock.missing'));
  });

  it('are asked for under the name the source policy gives the image', async () => {
    const rule = { action: 'CONVERT', selector: { identifier: 'docker-image://docker.io/library/a:1' } };
    const updates = { identifier: 'docker-image://docker.io/library/b:1' };
    writeFileSync(join(work, 'policy.json'), JSON.stringify({ rules: [{ ...rule, updates }] }));
    const { gate } = await gateOf({ sourcePolicyFile: 'policy.json' });
    const asked: string[] = [];
    const find = async (reference: string) => {
      asked.push(reference);
      return [AMD64];
    };
    await gate.platformsOf('docker.io/library/a:1', find);
    assert.match(asked.join(), /b:1$/);
  });
});
