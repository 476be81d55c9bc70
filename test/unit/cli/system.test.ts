import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PrunedStore, StoreUsage } from '../../../src/index.ts';
import { NOW, slipway } from './fake-program.ts';

const HOUR = 3_600_000;
const ID = 'a'.repeat(64);
const created = new Date(NOW - 2 * HOUR).toISOString();
const none = { total: 0, active: 0, sizeBytes: 0, reclaimableBytes: 0 };
const USAGE: StoreUsage = {
  images: {
    total: 2,
    active: 1,
    sizeBytes: 4_000_000,
    reclaimableBytes: 1_000_000,
    entries: [
      {
        id: ID,
        names: ['localhost/app:1', 'localhost/app:2'],
        created,
        sizeBytes: 3_000_000,
        sharedBytes: 2_000_000,
        uniqueBytes: 1_000_000,
        containers: 1,
      },
      {
        id: 'b'.repeat(64),
        names: [],
        created,
        sizeBytes: 3_000_000,
        sharedBytes: 2_000_000,
        uniqueBytes: 1_000_000,
        containers: 0,
      },
    ],
  },
  containers: {
    ...none,
    total: 1,
    sizeBytes: 5000,
    reclaimableBytes: 5000,
    entries: [{ id: 'c'.repeat(64), name: 'work', imageName: 'app', created, sizeBytes: 5000, mounted: false }],
  },
  buildCache: { ...none, total: 7, sizeBytes: 300, reclaimableBytes: 300 },
  cacheMounts: {
    ...none,
    total: 1,
    active: 1,
    sizeBytes: 100,
    entries: [
      {
        name: 'd'.repeat(32),
        id: 'npm\u001b[2J',
        namespace: '',
        from: undefined,
        sizeBytes: 100,
        files: 3,
        usedAt: NOW - HOUR,
        isBusy: true,
      },
    ],
  },
  unreferencedBytes: 0,
};
const df = (argv: readonly string[], usage = USAGE) =>
  slipway(['system', 'df', ...argv], { verbs: { usage: () => usage }, now: NOW });

describe('system df', () => {
  it('prints totals', async () => {
    const { stdout } = await df([]);
    assert.equal(
      stdout,
      `TYPE           TOTAL   ACTIVE   SIZE    RECLAIMABLE
Images         2       1        4 MB    1 MB (25%)
Containers     1       0        5 KB    5 KB (100%)
Build Cache    7       0        300 B   300 B (100%)
Cache Mounts   1       1        100 B   0 B (0%)
`,
    );
    assert.match((await df([], { ...USAGE, unreferencedBytes: 2000 })).stdout, /\n2 KB belong to nothing/);
  });
  it('prints everything there is', async () => {
    const { stdout } = await df(['-v']);
    assert.match(stdout, /^localhost\/app:2 +aaaaaaaaaaaa +2 hours ago +3 MB +2 MB +1 MB +1$/m);
    assert.match(stdout, /^<none> +bbbbbbbbbbbb /m);
    assert.match(stdout, /^cccccccccccc +app +5 KB +2 hours ago +idle +work$/m);
    assert.match(stdout, /^dddddddddddd +npm\\x1b\[2J +100 B +About an hour ago +in use$/m);
    assert.match(stdout, /^Build cache usage: 300 B in 7 steps$/m);
  });
  it('prints JSON and templates', async () => {
    assert.deepEqual(JSON.parse((await df(['--json'])).stdout), JSON.parse(JSON.stringify(USAGE)));
    assert.equal((await df(['--format', '{{.Type}}'])).stdout, 'Images\nContainers\nBuild Cache\nCache Mounts\n');
    assert.match((await df(['-v', '--format', 'x'])).stderr, /cannot be combined/);
  });
});

const PRUNED: PrunedStore = {
  untagged: ['localhost/app:1'],
  removed: [ID],
  caches: ['d'.repeat(32)],
  freedBytes: 1234,
  isPostponed: false,
};
const prune = (argv: readonly string[], pruned = PRUNED) =>
  slipway(['system', 'prune', ...argv], { verbs: { pruneStore: () => pruned }, now: NOW });

describe('system prune', () => {
  it('tells what it removed', async () => {
    const { stdout, stderr, calls } = await prune(['-f']);
    assert.equal(
      stdout,
      `untagged: localhost/app:1\n${ID}\ncache: ${'d'.repeat(32)}\nTotal reclaimed space: 1.23 KB\n`,
    );
    assert.equal(stderr, '');
    assert.deepEqual(calls[0]?.args, [{ all: false }]);
    assert.match((await prune(['-f'], { ...PRUNED, isPostponed: true })).stderr, /another slipway is at work/);
    assert.deepEqual(JSON.parse((await prune(['-f', '--json'])).stdout), PRUNED);
  });
  it('takes the stricter of several times', async () => {
    const { calls } = await prune(['-f', '--all', '--filter', 'until=1h,until=24h']);
    assert.deepEqual(calls[0]?.args, [{ all: true, before: NOW - 24 * HOUR }]);
    const other = await prune(['-f', '--filter', 'label=x']);
    assert.equal(other.code, 125);
    assert.match(other.stderr, /unsupported filter "label=x"/);
  });
  it('asks on a terminal, and takes yes alone for yes', async () => {
    for (const [answer, calls] of [
      ['y\n', 1],
      ['Yes\n', 1],
      ['n\n', 0],
      ['\n', 0],
      ['yesterday\n', 0],
    ] as const) {
      const asked = await slipway(['system', 'prune', '--all'], {
        verbs: { pruneStore: () => PRUNED },
        stdin: answer,
        answers: true,
      });
      assert.equal(asked.code, 0);
      assert.match(asked.stderr, /^This removes every image that no container uses.*\n.*\[y\/N\] /);
      assert.equal(asked.calls.length, calls, JSON.stringify(answer));
    }
  });
  it('does nothing where nobody can be asked', async () => {
    const { code, stderr, loadedLibrary } = await prune([]);
    assert.equal(code, 125);
    assert.match(stderr, /say --force/);
    assert.ok(!loadedLibrary);
  });
});
