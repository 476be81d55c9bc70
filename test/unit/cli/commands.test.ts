import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Emit } from '../../../src/index.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { notKnown, slipway } from './fake-program.ts';

const dir = mkdtempSync(join(tmpdir(), 'slipway-cli-'));
after(() => rmSync(dir, { recursive: true }));
const ID = 'a'.repeat(64);

/** Options without the members that every call has. */
function optionsOf(args: readonly unknown[], at: number): Record<string, unknown> {
  const { signal, ...rest } = args[at] as Record<string, unknown>;
  assert.ok(signal instanceof AbortSignal);
  return rest;
}

describe('build', () => {
  const build = async (argv: readonly string[], env = {}) => {
    const out = await slipway(['build', ...argv], {
      env,
      verbs: { build: () => ({ id: ID, manifest: undefined, names: [] }) },
    });
    return { ...out, options: out.calls[0] === undefined ? undefined : optionsOf(out.calls[0].args, 0) };
  };
  it('hands on several platforms, annotations to leave out and the compression', async () => {
    const { options, code } = await build([
      ...['--platform', 'linux/amd64,linux/arm64', '--platform', 'linux/amd64'],
      ...['--unsetannotation', 'x', '-D=false'],
    ]);
    assert.equal(code, 0);
    const { platforms, unsetAnnotations, compression } = options ?? {};
    assert.deepEqual(
      { platforms, unsetAnnotations, compression },
      {
        platforms: ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture })),
        unsetAnnotations: ['x'],
        compression: 'gzip',
      },
    );
  });
  it('hands every flag on', async () => {
    const { options, code, stdout, stderr } = await build(
      `-f A,B -t one -t two --target t --build-arg X=1 --build-context c=. --ignorefile i --label l=1 --env E=1
       --unsetenv U --unsetlabel V --annotation n=1 --layers --no-cache --jobs 3 --skip-unused-stages=false
       --platform linux/arm64 --from base --pull=newer --format docker --squash --timestamp 5 --secret id=s --ssh default
       --mount type=tmpfs --volume /a:/b --output out --force-rm --rm=false --inherit-labels=false --retry 2
       --retry-delay 1s --tls-verify=false --creds u:p:q --isolation chroot --net private --cap-add A,B --cap-drop C
       --add-host h:1.2.3.4 --dns 1.1.1.1 --ulimit nofile=1:2 --shm-size 1m --security-opt seccomp=unconfined
       --http-proxy=false --omit-history --identity-label=false ctx`
        .trim()
        .split(/\s+/),
    );
    assert.equal(stderr, '');
    assert.deepEqual([code, stdout], [0, `${ID}\n`]);
    assert.deepEqual(options, {
      context: 'ctx',
      files: ['A', 'B'],
      tags: ['one', 'two'],
      target: 't',
      buildArgs: ['X=1'],
      buildContexts: ['c=.'],
      ignoreFile: 'i',
      labels: ['l=1'],
      env: ['E=1'],
      unsetEnv: ['U'],
      unsetLabels: ['V'],
      annotations: ['n=1'],
      layers: true,
      noCache: true,
      jobs: 3,
      skipUnusedStages: false,
      platforms: [{ os: 'linux', architecture: 'arm64' }],
      from: 'base',
      pull: 'newer',
      format: 'docker',
      squash: true,
      timestamp: 5,
      secrets: ['id=s'],
      ssh: ['default'],
      mounts: ['type=tmpfs'],
      outputs: ['out'],
      forceRm: true,
      rm: false,
      inheritLabels: false,
      omitHistory: true,
      identityLabel: false,
      retries: 2,
      retryDelayMs: 1000,
      tlsVerify: false,
      creds: { username: 'u', password: 'p:q' },
      run: {
        isolation: 'chroot',
        network: 'private',
        addCapabilities: ['A', 'B'],
        dropCapabilities: ['C'],
        volumes: ['/a:/b'],
        addHosts: ['h:1.2.3.4'],
        dns: ['1.1.1.1'],
        limits: [{ name: 'nofile', soft: 1, hard: 2 }],
        shmSizeBytes: 1_048_576,
        securityOptions: ['seccomp=unconfined'],
        httpProxy: false,
      },
    });
  });
  it('hands nothing on that was not said', async () => {
    assert.deepEqual((await build([])).options, { run: {} });
  });
  it('reads the environment', async () => {
    const { options } = await build([], { BUILDAH_LAYERS: '1', BUILDAH_FORMAT: 'docker', SOURCE_DATE_EPOCH: '7' });
    assert.deepEqual(options, { layers: true, format: 'docker', sourceDateEpoch: 7, run: {} });
  });
  it('writes id files without a line feed and then prints no id', async () => {
    const [iid, raw] = [join(dir, 'iid'), join(dir, 'raw')];
    const { stdout } = await build(['--iidfile', iid, '--iidfile-raw', raw]);
    assert.equal(stdout, '');
    assert.equal(readFileSync(iid, 'utf8'), `sha256:${ID}`);
    assert.equal(readFileSync(raw, 'utf8'), ID);
  });
  it('writes everything to a log file', async () => {
    const log = join(dir, 'log');
    const out = await slipway(['build', '--logfile', log], {
      verbs: {
        build: (emit: Emit) => {
          emit({ type: 'step-line', step: '1', text: 'STEP 1/1: FROM scratch' });
          emit({ type: 'transfer', id: 'x', label: 'Copying config sha256:aa', state: 'done' });
          return { id: ID, manifest: undefined, names: [] };
        },
      },
    });
    assert.deepEqual([out.stdout, out.stderr], ['', '']);
    assert.equal(
      readFileSync(log, 'utf8'),
      `STEP 1/1: FROM scratch\nGetting image source signatures\nCopying config sha256:aa\n${ID}\n`,
    );
  });
  it('answers with the code of the failing step', async () => {
    const failed = (facts: Record<string, string | number>) => ({
      verbs: {
        build: () => {
          throw new BuilderError('build.failed', 'building at STEP "RUN exit 42": exit status 42', { facts });
        },
      },
    });
    const exited = await slipway(['bud'], failed({ exitCode: 42 }));
    assert.deepEqual([exited.code, exited.stderr], [42, 'Error: building at STEP "RUN exit 42": exit status 42\n']);
    assert.equal((await slipway(['bud'], failed({ signal: 'SIGKILL' }))).code, 1);
    assert.equal((await slipway(['bud'], failed({}))).code, 125);
    const json = await slipway(['bud', '--progress=json'], failed({ exitCode: 42 }));
    assert.deepEqual([json.code, JSON.parse(json.stderr).code], [42, 'build.failed']);
  });
  const REFUSALS: readonly [string[], RegExp][] = [
    [['--rm'], /^Error: 'rm' and 'force-rm' can only be set with either 'layers' or 'no-cache'\n/],
    [['--format', 'zz'], /^Error: unrecognized image type "zz"\n/],
    [['--isolation', 'foo'], /^Error: unrecognized isolation type "foo"\n/],
    [['--platform', 'bogus/'], /^Error: invalid platform syntax for "bogus\/"/],
    [['--platform', 'linux/amd64', '--os', 'linux'], /may not be used with --os, --arch, or --variant/],
    [['--platform', 'linux/amd64,linux/arm64', '--iidfile', 'i'], /building multiple images, but iidfile "i" can only/],
    [['--no-hosts', '--add-host', 'a:1.2.3.4'], /--no-hosts and --add-host conflict, can not be used together/],
    [['--network', 'podman'], /--network=podman of build is not supported/],
    [['--pull=bogus'], /unsupported pull policy "bogus"/],
    [['--progress', 'fancy'], /unknown progress mode "fancy"/],
    [['--timestamp', '1', '--source-date-epoch', '2'], /cannot be used together/],
    [['--authfile', '/nonexistent/x'], /credential file is not accessible/],
    [['--dns', '1.1.1.1', '--network=none'], /the --dns option cannot be used with --network=none/],
    [['-D', '--compression-format', 'gzip'], /--disable-compression and --compression-format cannot be used together/],
  ];
  for (const [argv, message] of REFUSALS) {
    it(`refuses ${argv.join(' ')}`, async () => {
      const { code, stderr, calls } = await build(argv);
      assert.equal(code, 125);
      assert.match(stderr, message);
      assert.deepEqual(calls, []);
    });
  }
});

describe('from', () => {
  it('prints the name and writes the id', async () => {
    const cid = join(dir, 'cid');
    const out = await slipway(['from', '--cidfile', cid, '--name', 'w', '--pull-never', '-q', 'alpine'], {
      verbs: { from: () => ({ name: 'w', id: ID }) },
    });
    assert.deepEqual([out.code, out.stdout, readFileSync(cid, 'utf8')], [0, 'w\n', ID]);
    assert.equal(out.calls[0]!.args[0], 'alpine');
    assert.deepEqual(optionsOf(out.calls[0]!.args, 1), { name: 'w', policy: 'never', quiet: true, run: {} });
  });
});

describe('run', () => {
  const run = (argv: readonly string[], status: unknown = { kind: 'exited', code: 0 }) =>
    slipway(['run', ...argv], {
      verbs: {
        run: () => {
          if (status instanceof Error) throw status;
          return status;
        },
      },
    });
  it('passes the words after the container through, without the two dashes', async () => {
    for (const argv of [
      ['w', 'ls', '-l'],
      ['w', '--', 'ls', '-l'],
      ['--', 'w', 'ls', '-l'],
    ]) {
      const { calls } = await run(argv);
      assert.deepEqual(calls[0]!.args.slice(0, 2), ['w', ['ls', '-l']]);
    }
    assert.deepEqual((await run(['w', '--', '--', 'x'])).calls[0]!.args[1], ['--', 'x']);
  });
  it('hands flags on', async () => {
    const { calls } = await run([
      '-e',
      'A=1',
      '--user',
      '7',
      '--workingdir',
      '/w',
      '-t=false',
      '--hostname',
      'h',
      '-v',
      '/a:/b',
      'w',
      'x',
    ]);
    assert.deepEqual(optionsOf(calls[0]!.args, 2), {
      envAdd: ['A=1'],
      user: '7',
      cwd: '/w',
      hostname: 'h',
      volumes: ['/a:/b'],
      terminal: false,
      stdin: 'inherit',
    });
  });
  it('answers with the code of the command', async () => {
    const failed = await run(['w', 'x'], { kind: 'exited', code: 7 });
    assert.deepEqual([failed.code, failed.stderr], [7, 'Error: while running runtime: exit status 7\n']);
    assert.equal((await run(['w', 'x'], { kind: 'signaled', signal: 'SIGKILL' })).code, 1);
    assert.equal((await run(['--valid-exit-codes', '7,8', 'w', 'x'], { kind: 'exited', code: 8 })).code, 0);
    assert.equal((await run(['--valid-exit-codes', '7', 'w', 'x'])).code, 1);
  });
  it('answers 1 when the command cannot be started, 125 for all else', async () => {
    assert.equal((await run(['w', 'x'], new BuilderError('run.start-failed', 'no such file: x'))).code, 1);
    assert.equal((await run(['w', 'x'], notKnown('w'))).code, 125);
    assert.deepEqual((await run(['w', '--'])).stderr, 'Error: command must be specified\n');
  });
});

describe('copy and add', () => {
  it('print the digest, and nothing with -q', async () => {
    const verbs = { copy: () => ({ digest: ID }), add: () => ({ digest: ID }) };
    const one = await slipway(['copy', '--chown', '1:2', 'w', 'src'], { verbs });
    assert.deepEqual([one.stdout, one.calls[0]!.args.slice(0, 3)], [`${ID}\n`, ['w', ['src'], undefined]]);
    assert.deepEqual(optionsOf(one.calls[0]!.args, 3), { chown: '1:2' });
    const two = await slipway(['add', '-q', 'w', 'a', 'b', '/d'], { verbs });
    assert.deepEqual([two.stdout, two.calls[0]!.args.slice(0, 3)], ['', ['w', ['a', 'b'], '/d']]);
  });
});

describe('config', () => {
  it('hands changes on, empty texts too', async () => {
    const { calls, stdout } = await slipway([
      'config',
      '--cmd',
      '',
      '-e',
      'A=1',
      '-e',
      'B-',
      '-p',
      '80,81',
      '--healthcheck-interval',
      '30s',
      '--healthcheck-retries',
      '2',
      'w',
    ]);
    assert.equal(stdout, '');
    assert.deepEqual(calls[0]!.args, [
      'w',
      { cmd: '', env: ['A=1', 'B-'], port: ['80', '81'], healthcheckOptions: { Interval: 30e9, Retries: 2 } },
    ]);
  });
});

describe('commit', () => {
  const result = {
    id: ID,
    manifest: { digest: 'sha256:m', mediaType: 't', size: 1 },
    configDigest: `sha256:${ID}`,
    name: 'x',
    stored: true,
  };
  it('prints the id of an image in the store', async () => {
    assert.equal((await slipway(['commit', 'w', 'x'], { verbs: { commit: () => result } })).stdout, `${ID}\n`);
    assert.equal(
      (await slipway(['commit', 'w', 'oci:x'], { verbs: { commit: () => ({ ...result, stored: false }) } })).stdout,
      '',
    );
  });
  it('hands flags on and writes what describes the result', async () => {
    const file = join(dir, 'metadata');
    const { calls, stdout } = await slipway(
      [
        'commit',
        '--rm',
        '--squash',
        '-f',
        'docker',
        '--omit-timestamp',
        '-D',
        '--unsetannotation',
        'a',
        '--metadata-file',
        file,
        'w',
      ],
      { verbs: { commit: () => result } },
    );
    assert.equal(stdout, `${ID}\n`);
    assert.deepEqual(optionsOf(calls[0]!.args, 2), {
      rm: true,
      squash: true,
      format: 'docker',
      timestamp: 0,
      compression: 'none',
      unsetAnnotations: ['a'],
    });
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      'containerimage.config.digest': `sha256:${ID}`,
      'containerimage.descriptor': result.manifest,
      'containerimage.digest': 'sha256:m',
    });
  });
  it('hands on what changes the image, and compresses again where a format is named', async () => {
    const argv = [
      ...['commit', '-c', 'ENV A=1', '--change', 'CMD x', '--config', 'f', '--add-file', 'a:/b', '--add-file', 'c'],
      ...['--manifest', 'l', '--compression-format', 'zstd', '--compression-level', '7', 'w'],
    ];
    const { calls } = await slipway(argv, { verbs: { commit: () => result } });
    assert.deepEqual(optionsOf(calls[0]!.args, 2), {
      changes: ['ENV A=1', 'CMD x'],
      configFile: 'f',
      addFiles: ['a:/b', 'c'],
      manifest: 'l',
      compression: 'zstd',
      compressionLevel: 7,
      forceCompression: true,
    });
    const gentle = await slipway(['commit', '--compression-format=zstd', '--force-compression=false', 'w'], {
      verbs: { commit: () => result },
    });
    assert.deepEqual(optionsOf(gentle.calls[0]!.args, 2), { compression: 'zstd' });
  });
});

describe('mount, umount, rm', () => {
  const verbs = {
    mount: (_: Emit, name: string) => {
      if (name === 'nosuch') throw notKnown(name);
      return `/m/${name}`;
    },
    umount: (_: Emit, name: string) => {
      if (name === 'nosuch') throw notKnown(name);
      return { id: ID };
    },
    rm: (_: Emit, name: string) => {
      if (name === 'nosuch') throw notKnown(name);
      return { id: `id-${name}` };
    },
    containers: () => [
      { id: 'one', name: 'n1', mountPoint: '/m/n1' },
      { id: 'two', name: 'n2', mountPoint: undefined },
    ],
  };
  it('mount prints a path for one, names and paths for several', async () => {
    assert.equal((await slipway(['mount', 'a'], { verbs })).stdout, '/m/a\n');
    assert.equal((await slipway(['mount', 'a', 'b'], { verbs })).stdout, 'a /m/a\nb /m/b\n');
    assert.equal((await slipway(['mount'], { verbs })).stdout, 'n1 /m/n1\n');
    assert.equal(
      (await slipway(['mount', '--json', 'a'], { verbs })).stdout,
      '[\n    {\n        "mountPoint": "/m/a"\n    }\n]\n',
    );
    assert.equal((await slipway(['mount', '--json'], { verbs: { containers: () => [] } })).stdout, 'null\n');
  });
  it('all are tried, and one failure fails', async () => {
    const out = await slipway(['mount', 'nosuch', 'a'], { verbs });
    assert.deepEqual(
      [out.code, out.stdout, out.stderr],
      [125, 'a /m/a\n', 'Error: reading build container "nosuch": container not known\n'],
    );
    const gone = await slipway(['rm', 'nosuch', 'x'], { verbs });
    assert.deepEqual([gone.code, gone.stdout], [125, 'id-x\n']);
  });
  it('--all takes those that are meant', async () => {
    assert.deepEqual((await slipway(['umount', '-a'], { verbs })).calls.slice(1), [{ verb: 'umount', args: ['one'] }]);
    assert.equal((await slipway(['rm', '-a'], { verbs })).stdout, 'id-one\nid-two\n');
    assert.match((await slipway(['rm', '-a', 'x'], { verbs })).stderr, /you may not pass any containers names or IDs/);
    assert.match((await slipway(['umount'], { verbs })).stderr, /at least one container ID must be specified/);
  });
});

describe('rmi and prune', () => {
  it('print names first, ids after, and errors as a list', async () => {
    const out = await slipway(['rmi', '-f', 'a', 'nosuch', 'b'], {
      verbs: {
        rmi: (_: Emit, name: string) => {
          if (name === 'nosuch') throw new BuilderError('image.not-known', 'nosuch: image not known');
          return { untagged: [`localhost/${name}:latest`], removed: [`id-${name}`] };
        },
      },
    });
    assert.equal(out.code, 125);
    assert.equal(out.stdout, 'untagged: localhost/a:latest\nuntagged: localhost/b:latest\nid-a\nid-b\n');
    assert.equal(out.stderr, 'Error: 1 error occurred:\n\t* nosuch: image not known\n\n\n');
    assert.deepEqual(out.calls[0]!.args, ['a', { force: true }]);
  });
  it('prune asks for what is dangling, or for all', async () => {
    const verbs = { prune: () => ({ untagged: [], removed: ['x'] }) };
    assert.equal((await slipway(['rmi', '-p'], { verbs })).stdout, 'x\n');
    assert.deepEqual((await slipway(['prune', '-a'], { verbs })).calls[0]!.args, [{ all: true, force: false }]);
  });
});

describe('pull and push', () => {
  it('pull prints ids', async () => {
    const { stdout, calls } = await slipway(['pull', '--policy', 'ifnewer', '--arch', 'arm64', 'alpine'], {
      verbs: { pull: () => [ID] },
    });
    assert.equal(stdout, `${ID}\n`);
    assert.deepEqual(optionsOf(calls[0]!.args, 1), {
      policy: 'newer',
      platform: { os: 'linux', architecture: 'arm64' },
    });
  });
  it('push prints nothing and writes the digest', async () => {
    const file = join(dir, 'digest');
    const { stdout, calls } = await slipway(['push', '-f', 'v2s2', '--digestfile', file, 'a', 'dir:x'], {
      verbs: { push: () => ({ digest: 'sha256:d' }) },
    });
    assert.deepEqual([stdout, readFileSync(file, 'utf8')], ['', 'sha256:d']);
    assert.deepEqual(optionsOf(calls[0]!.args, 2), { format: 'docker' });
  });
  it('push --rm takes a list away, and says that an image stays', async () => {
    for (const isIndex of [true, false]) {
      const { calls, stderr } = await slipway(['push', '--rm', 'a', 'dir:x'], {
        verbs: { push: () => ({ digest: 'sha256:d' }), image: () => ({ isIndex }), rmi: () => ({}) },
      });
      assert.equal(
        calls.some(({ verb }) => verb === 'rmi'),
        isIndex,
      );
      assert.equal(/is an image, not a list/.test(stderr), !isIndex);
    }
  });
  it('manifest push says what of a list goes', async () => {
    const verbs = { push: () => ({ digest: 'sha256:d' }), image: () => ({ isIndex: true }) };
    const pushed = async (...words: readonly string[]) => {
      const { calls } = await slipway(['manifest', 'push', ...words, 'a', 'dir:x'], { verbs });
      return optionsOf(calls.find(({ verb }) => verb === 'push')!.args, 2);
    };
    assert.deepEqual(await pushed(), { all: true });
    assert.deepEqual(await pushed('--all=false'), { indexOnly: true });
    assert.deepEqual(await pushed('--add-compression', 'zstd'), { all: true, addCompression: ['zstd'] });
    const { code } = await slipway(['manifest', 'push', '--all=false', '--add-compression', 'zstd', 'a'], { verbs });
    assert.equal(code, 125);
  });
  it('manifest add makes one artifact of files', async () => {
    const verbs = { addArtifactToList: () => ({ id: ID, digest: 'sha256:d' }) };
    const argv = [
      'manifest',
      'add',
      '--artifact',
      '--artifact-type',
      't',
      '--artifact-annotation',
      'a=b',
      'l',
      'x',
      'y',
    ];
    const { calls, stdout } = await slipway(argv, { verbs });
    assert.equal(stdout, `${ID}: sha256:d\n`);
    assert.deepEqual(calls[0]!.args, ['l', ['x', 'y'], { artifactType: 't', manifestAnnotations: ['a=b'] }]);
    const stray = await slipway(['manifest', 'add', '--artifact-type', 't', 'l', 'x'], { verbs });
    assert.match(stray.stderr, /--artifact-type requires --artifact/);
  });
});

describe('inspect and info', () => {
  const verbs = {
    inspect: () => ({ type: 'image', json: { Type: 'x', OCIv1: { author: 'a<b>', config: { Cmd: ['sh'] } } } }),
    info: () => ({
      host: { os: 'linux', arch: 'amd64' },
      store: { RunRoot: '/r' },
      isolation: { chosen: 'oci', why: '' },
    }),
  };
  it('inspect prints JSON as Go does', async () => {
    const { stdout } = await slipway(['inspect', 'x'], { verbs });
    assert.match(stdout, /^\{\n {4}"Type": "x",\n[\s\S]*"author": "a\\u003cb\\u003e"/);
  });
  it('a template adds a line feed on a terminal only', async () => {
    const argv = ['inspect', '-t', 'image', '-f', '{{.OCIv1.Config.Cmd}}', 'x'];
    assert.equal((await slipway(argv, { verbs })).stdout, '[sh]');
    assert.equal((await slipway(argv, { verbs, tty: true })).stdout, '[sh]\n');
    assert.equal((await slipway(['inspect', '-f', 'x', 'x'])).stderr, 'Error: invalid format provided: x\n');
  });
  it('--layers prints a table, JSON or a template, and goes with images alone', async () => {
    const layer = {
      index: 0,
      diffId: 'sha256:d',
      digest: 'sha256:d',
      sizeBytes: 2048,
      createdBy: 'RUN\tmake \x1b[31m<all>',
      contentBytes: 1_500_000,
      entries: 3,
      added: 3,
      changed: 0,
      removed: 0,
      wastedBytes: 500_000,
      largest: [{ path: 'bin/tool', bytes: 1_000_000 }],
    };
    const insight = {
      id: ID,
      names: [],
      layers: [layer],
      contentBytes: 1_500_000,
      wastedBytes: 500_000,
      efficiency: 2 / 3,
      wasted: [{ path: 'tmp/x', bytes: 500_000, layer: 0, hiddenBy: 1, how: 'removed' }],
    };
    const o = { verbs: { layers: () => insight } };
    assert.equal(
      (await slipway(['inspect', '--layers', 'app'], o)).stdout,
      [
        'LAYER   SIZE     ENTRIES   ADDED   CHANGED   REMOVED   WASTED   CREATED BY',
        '0       1.5 MB   3         3       0         0         500 KB   RUN\ufffdmake \ufffd[31m<all>',
        '',
        'Largest files',
        '0   1 MB   /bin/tool',
        '',
        'Wasted: in the image, and hidden by a later layer',
        '0   500 KB   /tmp/x, removed in layer 1',
        '',
        '1 layer, 1.5 MB of files, 500 KB wasted, efficiency 66.6 %',
        '',
      ].join('\n'),
    );
    const narrow = await slipway(['inspect', '--layers', 'app'], { ...o, tty: true, columns: 60 });
    assert.ok(narrow.stdout.split('\n').every((line) => line.length <= 60));
    const json = await slipway(['inspect', '--layers', '--json', 'app'], o);
    assert.deepEqual(JSON.parse(json.stdout), insight);
    const template = await slipway(['inspect', '--layers', '-f', '{{.wastedBytes}}', 'app'], o);
    assert.equal(template.stdout, '500000');
    for (const argv of [
      ['inspect', '--json', 'app'],
      ['inspect', '--layers', '-t', 'container', 'app'],
      ['inspect', '--layers', '--json', '-f', '{{.id}}', 'app'],
    ]) {
      const refused = await slipway(argv, o);
      assert.equal(refused.code, 125);
      assert.deepEqual(refused.calls, []);
    }
  });
  it('info sorts its keys', async () => {
    const { stdout } = await slipway(['info'], { verbs });
    assert.deepEqual(Object.keys(JSON.parse(stdout).host), ['arch', 'os']);
    assert.equal(
      (await slipway(['info', '--format', '{{.store.RunRoot}} {{.nosuch}}'], { verbs })).stdout,
      '/r <no value>',
    );
  });
});

describe('login and logout', () => {
  const library = { getLogin: async () => undefined, logout: async () => true };
  it('asks for what is missing', async () => {
    const { stdout, calls } = await slipway(['login', 'r'], { library, stdin: 'me\nsecret\n' });
    assert.equal(stdout, 'Username: Login Succeeded!\n');
    assert.deepEqual(optionsOf(calls[0]!.args, 1), { username: 'me', password: 'secret' });
  });
  it('reads the password from standard input', async () => {
    const { calls } = await slipway(['login', '-u', 'me', '--password-stdin', 'r'], { library, stdin: 's e\n' });
    assert.deepEqual(optionsOf(calls[0]!.args, 1), { username: 'me', password: 's e' });
    assert.match(
      (await slipway(['login', '--password-stdin', 'r'], { library })).stderr,
      /Must provide --username with --password-stdin/,
    );
  });
  it('tells who is logged in', async () => {
    const known = { ...library, getLogin: async () => 'me' };
    assert.equal((await slipway(['login', '--get-login', 'r'], { library: known })).stdout, 'me\n');
    assert.equal((await slipway(['login', '--get-login', 'r'], { library })).stderr, 'Error: not logged into r\n');
  });
  it('logout says what it did', async () => {
    assert.equal((await slipway(['logout', 'r'], { library })).stdout, 'Removed login credentials for r\n');
    assert.equal(
      (await slipway(['logout', '-a'], { library })).stdout,
      'Removed login credentials for all registries\n',
    );
    const none = { logout: async () => false };
    assert.equal((await slipway(['logout', 'r'], { library: none })).stderr, 'Error: not logged into r\n');
    assert.equal((await slipway(['logout'], { library })).stderr, 'Error: registry must be given\n');
  });
});

describe('doctor', () => {
  const report = {
    checks: [
      { name: 'user-namespaces', state: 'ok', found: 'allowed' },
      { name: 'runc', state: 'missing', found: 'not installed', remedy: 'apt-get install runc' },
    ],
    isolation: 'chroot',
    why: 'no runtime',
    driver: 'overlay',
  };
  const library = (isolation: string) => ({ hostReport: async () => ({ ...report, isolation }) });
  it('prints checks, remedies and what follows', async () => {
    const { code, stdout } = await slipway(['doctor'], { library: library('chroot') });
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `ok       user-namespaces  allowed
missing  runc             not installed
         help: apt-get install runc

isolation: chroot (no runtime)
storage driver: overlay
`,
    );
  });
  it('fails when nothing could be run', async () => {
    const { code, stdout } = await slipway(['doctor', '--json'], { library: library('none') });
    assert.deepEqual([code, JSON.parse(stdout).driver], [1, 'overlay']);
  });
});
