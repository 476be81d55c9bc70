/** Devices by name. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { deviceEdits, findCdiDevices, noCdiDevice, readCdiDevices } from '../../../src/run/cdi.ts';
import { runtimeSpec } from '../../../src/run/runtime-spec.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-cdi-'));
const [first, second, broken] = ['first', 'second', 'broken'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
for (const path of [first, second, broken]) mkdirSync(path);
after(() => rmSync(folder, { recursive: true, force: true }));

writeFileSync(
  join(first, 'vendor.yaml'),
  `cdiVersion: 0.6.0
kind: vendor.com/gpu
annotations: { org.mobyproject.buildkit.device.class: gpu }
containerEdits:
  env: [COMMON=1]
  mounts:
    - hostPath: /usr/lib/vendor
      containerPath: /opt/vendor
      options: [ro, nosuid, nodev, bind]
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/gpu0
        - { path: /dev/gpuctl, hostPath: /dev/ctl, permissions: rw }
      additionalGids: [44, 0, 44]
  - name: "1"
    annotations:
      org.mobyproject.buildkit.device.autoallow: "true"
    containerEdits:
      env: [ONE=1]
      hooks:
        - { hookName: createContainer, path: /usr/bin/hook, args: [hook, ldcache], timeout: 5 }
  - name: all
`,
);
writeFileSync(join(first, 'ignored.txt'), 'not: a spec');
writeFileSync(
  join(second, 'over.json'),
  JSON.stringify({
    cdiVersion: '0.6.0',
    kind: 'vendor.com/gpu',
    devices: [{ name: '0', containerEdits: { env: ['OVER=1'] } }],
  }),
);

describe('CDI devices', () => {
  it('are read from YAML and JSON, later directories before earlier ones', async () => {
    const devices = await readCdiDevices([join(folder, 'missing'), first]);
    assert.deepEqual(
      devices.map(({ name, isOpen, classes }) => [name, isOpen, classes]),
      [
        ['vendor.com/gpu=0', false, ['gpu']],
        ['vendor.com/gpu=1', true, ['gpu']],
        ['vendor.com/gpu=all', false, ['gpu']],
      ],
    );
    const [over] = findCdiDevices('vendor.com/gpu=0', await readCdiDevices([first, second]));
    assert.deepEqual(deviceEdits([over!]).env, ['OVER=1']);
  });

  it('are found by name, all of a class, the first of a kind, or by a class of the vendor', async () => {
    const devices = await readCdiDevices([first]);
    const names = (request: string) => findCdiDevices(request, devices).map(({ name }) => name.split('=')[1]);
    assert.deepEqual(names('vendor.com/gpu=1'), ['1']);
    assert.deepEqual(names('vendor.com/gpu=*'), ['0', '1']);
    assert.deepEqual(names('vendor.com/gpu'), ['0']);
    assert.deepEqual(names('gpu'), ['0', '1', 'all']);
    assert.deepEqual(names('vendor.com/gpu=2'), []);
    assert.deepEqual(names('vendor.com/gp'), []);
  });

  it('add nodes, mounts, variables and groups, what they share once', async () => {
    const devices = await readCdiDevices([first]);
    const edits = deviceEdits(findCdiDevices('vendor.com/gpu=*', devices));
    assert.deepEqual(edits.env, ['COMMON=1', 'ONE=1']);
    assert.deepEqual(edits.devices, [
      { source: '/dev/gpu0', target: '/dev/gpu0', permissions: 'rwm' },
      { source: '/dev/ctl', target: '/dev/gpuctl', permissions: 'rw' },
    ]);
    assert.deepEqual(edits.mounts, [
      {
        type: 'bind',
        source: '/usr/lib/vendor',
        target: '/opt/vendor',
        readOnly: true,
        options: ['nosuid', 'nodev', 'norecurse'],
      },
    ]);
    assert.deepEqual(edits.groups, [44]);
  });

  it('hand their hooks to the runtime in its own words', async () => {
    const { hooks } = deviceEdits(findCdiDevices('vendor.com/gpu=1', await readCdiDevices([first])));
    const process = {
      args: ['true'],
      env: [],
      cwd: '/',
      user: { uid: 0, gid: 0, groups: [] },
      terminal: false,
      mounts: [],
      network: 'host',
      capabilities: [],
      limits: [],
      noNewPrivileges: false,
      shmSizeBytes: 1,
      hooks,
    } as const;
    const on = { root: '/', rootless: true, hasTtyGroup: false, seccomp: undefined, cgroupNamespace: false };
    const spec = runtimeSpec(process, { ...on, scratchFor: () => '' }) as { hooks?: unknown };
    assert.deepEqual(spec.hooks, {
      createContainer: [{ path: '/usr/bin/hook', args: ['hook', 'ldcache'], timeout: 5 }],
    });
  });

  it('that are missing are named with the nearest one', async () => {
    const error = noCdiDevice('vendor.com/gpu=al', await readCdiDevices([first]), [first]);
    assert.match(error.message, /no device is called "vendor.com\/gpu=al"/);
    assert.equal(error.hint, 'did you mean vendor.com/gpu=all?');
  });

  for (const [name, text] of [
    ['not-yaml.yaml', 'a: [1'],
    ['not-json.json', '{'],
    ['no-kind.yaml', 'devices: []'],
    ['no-name.json', '{"kind":"a/b","devices":[{}]}'],
    ['text.yml', 'word'],
  ] as const) {
    it(`described in ${name} are an error that names the file`, async () => {
      const directory = join(broken, name);
      mkdirSync(directory);
      writeFileSync(join(directory, name), text);
      await assert.rejects(readCdiDevices([directory]), { code: 'run.start-failed', message: new RegExp(name) });
    });
  }
});
