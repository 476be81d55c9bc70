/** What an image keeps and what it gets when its base changes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { mergeConfig, rebasedHistory } from '../../../src/image/rebase-config.ts';
import type { DiffId } from '../../../src/spec/digest.ts';
import type { ContainerConfig, HistoryEntry, ImageConfig } from '../../../src/spec/image-config.ts';

const image = (config: ContainerConfig, layers = 0, history?: readonly HistoryEntry[]): ImageConfig => ({
  os: 'linux',
  architecture: 'amd64',
  config,
  rootfs: { type: 'layers', diff_ids: Array.from({ length: layers }, (_, i) => `sha256:${i}` as DiffId) },
  ...(history === undefined ? {} : { history }),
});

const RULES: readonly [
  string,
  old: ContainerConfig,
  image: ContainerConfig,
  fresh: ContainerConfig,
  ContainerConfig,
][] = [
  [
    'what the base says comes from the new one',
    { User: 'a', Cmd: ['x'] },
    { User: 'a', Cmd: ['x'] },
    { User: 'b' },
    { User: 'b' },
  ],
  ['what the image set itself stays', { User: 'a' }, { User: 'me' }, { User: 'b' }, { User: 'me' }],
  ['what the image took away stays away', { StopSignal: 'SIGINT' }, {}, { StopSignal: 'SIGINT' }, {}],
  [
    'a command goes with its entry point',
    { Entrypoint: ['e'], Cmd: ['c'] },
    { Entrypoint: ['mine'] },
    { Entrypoint: ['f'], Cmd: ['d'] },
    { Entrypoint: ['mine'] },
  ],
  [
    "a command alone stays the image's",
    { Cmd: ['c'] },
    { Cmd: ['mine'] },
    { Entrypoint: ['f'], Cmd: ['d'] },
    { Entrypoint: ['f'], Cmd: ['mine'] },
  ],
  [
    'variables one by one, in the order of the new base',
    { Env: ['A=1', 'B=1', 'C=1'] },
    { Env: ['A=1', 'B=2', 'D=4'] },
    { Env: ['C=9', 'B=9', 'A=9'] },
    { Env: ['B=2', 'A=9', 'D=4'] },
  ],
  [
    'a path that was grown is grown again',
    { Env: ['PATH=/usr/bin:/bin'] },
    { Env: ['PATH=/opt/$&/bin:/usr/bin:/bin:/last'] },
    { Env: ['PATH=/new/bin'] },
    { Env: ['PATH=/opt/$&/bin:/new/bin:/last'] },
  ],
  [
    'labels, ports and volumes one by one',
    { Labels: { a: '1', gone: 'x', same: 's' }, ExposedPorts: { '80/tcp': {} } },
    { Labels: { a: '2', same: 's', own: 'o' }, ExposedPorts: { '80/tcp': {}, '81/tcp': {} }, Volumes: { '/v': {} } },
    { Labels: { a: '9', gone: 'y', same: 't', fresh: 'f' }, ExposedPorts: { '90/tcp': {} } },
    {
      Labels: { a: '2', same: 't', fresh: 'f', own: 'o' },
      ExposedPorts: { '90/tcp': {}, '81/tcp': {} },
      Volumes: { '/v': {} },
    },
  ],
  ['nothing is made up', {}, {}, {}, {}],
];
for (const [title, old, own, fresh, merged] of RULES) {
  it(`${title}`, () => {
    assert.deepEqual(mergeConfig(image(old), image(own), image(fresh)).config, merged);
  });
}

it('the machine is that of the new base, author and layers those of the image', () => {
  const fresh = { ...image({}, 2), created: 'then', author: 'somebody', 'os.version': '7' };
  const merged = mergeConfig(image({}), { ...image({}, 3), author: 'me' }, fresh);
  assert.deepEqual(
    { ...merged, rootfs: merged.rootfs.diff_ids.length },
    { os: 'linux', architecture: 'amd64', 'os.version': '7', author: 'me', config: {}, rootfs: 3 },
  );
});

const step = (text: string, empty = false): HistoryEntry => ({
  created_by: text,
  ...(empty ? { empty_layer: true } : {}),
});
const layersTold = (history: readonly HistoryEntry[]): number => history.filter((e) => e.empty_layer !== true).length;

it('history is that of the new base and the steps above the old one', () => {
  const old = image({}, 1, [step('old'), step('env', true)]);
  const own = image({}, 2, [step('old'), step('env', true), step('run'), step('cmd', true)]);
  const fresh = image({}, 2, [step('n1'), step('n2')]);
  assert.deepEqual(
    rebasedHistory(old, own, fresh).map((entry) => entry.created_by),
    ['n1', 'n2', 'run', 'cmd'],
  );
});
it('there are as many entries with a layer as layers, whatever histories leave out', () => {
  const own = image({}, 3, [step('one')]);
  for (const old of [image({}, 1), image({}, 1, [step('a'), step('b')])]) {
    for (const fresh of [image({}, 2), image({}, 2, [step('x')]), image({}, 0)]) {
      assert.equal(layersTold(rebasedHistory(old, own, fresh)), fresh.rootfs.diff_ids.length + 2);
    }
  }
});
