/** What every executor promises, as tests: `executorSuite('chroot', …)` runs them all against one implementation. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isBuilderError } from '../../src/report/builder-error.ts';
import { DEFAULT_CAPABILITIES } from '../../src/run/capabilities.ts';
import type { Executor } from '../../src/run/executor.ts';
import type { ExitStatus, ProcessSpec } from '../../src/spec/process-spec.ts';

const BUSYBOX = '/bin/busybox';
const APPLETS = [
  'sh',
  'true',
  'cat',
  'grep',
  'ls',
  'sleep',
  'env',
  'id',
  'mount',
  'touch',
  'hostname',
  'kill',
  'mkdir',
  'rm',
  'mv',
  'ln',
  'stat',
  'echo',
  'test',
  'umount',
  'ping',
  'head',
  'tr',
  'wc',
  'mkfifo',
  'pwd',
];

/** Why a root filesystem for tests cannot be made, or undefined. */
export function busyboxProblem(): string | undefined {
  return existsSync(BUSYBOX) ? undefined : 'busybox-static is not installed';
}

/** A root filesystem of one static binary. The caller removes it. */
export function busyboxRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'slipway-root-'));
  chmodSync(root, 0o755);
  for (const name of ['bin', 'etc', 'tmp', 'data']) mkdirSync(join(root, name));
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet));
  return root;
}

export function processSpec(args: readonly string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    args,
    env: ['PATH=/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, groups: [] },
    terminal: false,
    hostname: 'testbox',
    mounts: [],
    network: 'host',
    capabilities: DEFAULT_CAPABILITIES,
    limits: [],
    noNewPrivileges: false,
    shmSizeBytes: 1 << 20,
    ...more,
  };
}

export interface Outcome {
  readonly status: ExitStatus;
  readonly out: string;
  readonly err: string;
}

/** Runs to the end and collects what it says. */
export async function execute(
  executor: Executor,
  root: string,
  spec: ProcessSpec,
  signal?: AbortSignal,
): Promise<Outcome> {
  let out = '';
  let err = '';
  const status = await executor.run(
    root,
    spec,
    {
      stdin: 'ignore',
      stdout: (chunk) => {
        out += Buffer.from(chunk).toString();
      },
      stderr: (chunk) => {
        err += Buffer.from(chunk).toString();
      },
    },
    { signal },
  );
  return { status, out, err };
}

const exited = (code: number): ExitStatus => ({ kind: 'exited', code });

/** Paths, types, sizes and times of a tree: equal before and after means that no trace was left. */
function traces(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .concat('.')
    .sort()
    .map((name) => {
      const stat = lstatSync(join(root, name), { bigint: true });
      return `${name} ${stat.mode.toString(8)} ${stat.size} ${stat.mtimeNs}`;
    });
}

/** @param skip a reason to skip everything, or undefined */
export function executorSuite(name: string, skip: string | undefined, make: () => Executor): void {
  describe(`executor ${name}`, { skip: skip ?? false }, () => {
    let root = '';
    let executor: Executor;
    before(() => {
      root = busyboxRoot();
      executor = make();
    });
    after(() => rmSync(root, { recursive: true, force: true }));
    const sh = (script: string, more: Partial<ProcessSpec> = {}): Promise<Outcome> =>
      execute(executor, root, processSpec(['sh', '-c', script], more));

    test('delivers output of both streams and the exit code', async () => {
      const { status, out, err } = await sh('echo out; echo err >&2; exit 42');
      assert.deepEqual({ status, out, err }, { status: exited(42), out: 'out\n', err: 'err\n' });
    });

    test('hands over standard input', async () => {
      let out = '';
      async function* input(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('one ');
        yield Buffer.from('two');
      }
      const status = await executor.run(root, processSpec(['cat']), {
        stdin: input(),
        stdout: (chunk) => {
          out += Buffer.from(chunk).toString();
        },
        stderr: () => {},
      });
      assert.deepEqual({ status, out }, { status: exited(0), out: 'one two' });
    });

    test('B67 shows the environment it is given and nothing else, not even in other processes', async () => {
      process.env['CANARY_SECRET'] = 'canary-value';
      try {
        const { out } = await sh('env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr "\\000" "\\n"', {
          env: ['PATH=/bin', 'A=b'],
        });
        assert.match(out, /^A=b$/m);
        assert.doesNotMatch(out, /canary/i);
      } finally {
        delete process.env['CANARY_SECRET'];
      }
    });

    test('X03 gives exactly the capabilities asked for', async () => {
      const { out } = await sh('grep ^Cap /proc/self/status');
      assert.deepEqual(
        Object.fromEntries(
          out
            .trim()
            .split('\n')
            .map((line) => line.split(':\t')),
        ),
        {
          CapInh: '0000000000000000',
          CapPrm: '00000000800405fb',
          CapEff: '00000000800405fb',
          CapBnd: '00000000800405fb',
          CapAmb: '0000000000000000',
        },
      );
    });

    test('X04 gives another user no capabilities, and its groups', async () => {
      const { out } = await sh('id -u; id -g; grep ^CapEff /proc/self/status; grep ^Groups /proc/self/status', {
        user: { uid: 1000, gid: 1001, groups: [7] },
      });
      const [uid, gid, effective, groups] = out.split('\n');
      assert.deepEqual([uid, gid, effective], ['1000', '1001', 'CapEff:\t0000000000000000']);
      assert.match(groups ?? '', /\b7\b/);
    });

    test('B52 leaves descriptors 0 to 2 open and no other', async () => {
      // The shell's own glob opens the directory as 3.
      const { out } = await sh('for fd in /proc/$$/fd/*; do echo ${fd##*/}; done');
      const fds = out.trim().split('\n').map(Number);
      assert.deepEqual(
        fds.filter((fd) => fd > 2 && fd !== 3 && fd !== 10),
        [],
      );
      assert.deepEqual(fds.slice(0, 3), [0, 1, 2]);
    });

    test('B68 ends what the process left behind', async () => {
      const started = Date.now();
      const { status } = await sh('(sleep 600 &); exit 3');
      assert.deepEqual(status, exited(3));
      assert.ok(Date.now() - started < 2000, `took ${Date.now() - started} ms`);
    });

    test('refuses to start a command that does not exist', async () => {
      for (const command of ['nosuch', '/nosuch', '/etc']) {
        await assert.rejects(execute(executor, root, processSpec([command])), (error) =>
          isBuilderError(error, 'run.start-failed'),
        );
      }
    });

    test('refuses a working directory that does not exist', async () => {
      await assert.rejects(execute(executor, root, processSpec(['true'], { cwd: '/nosuch' })), (error) =>
        isBuilderError(error, 'run.start-failed'),
      );
    });

    test('B52 does not let a working directory lead out through a descriptor', async () => {
      for (const cwd of ['/proc/self/fd/7', '/proc/self/fd/10', '/proc/self/fd/20']) {
        const outcome = await execute(executor, root, processSpec(['ls'], { cwd })).catch(() => undefined);
        assert.ok(outcome === undefined || !/boot|usr/.test(outcome.out), `${cwd}: ${outcome?.out}`);
      }
    });

    test('has the host name asked for, its own /proc and no host processes', async () => {
      const { out } = await sh('hostname; ls -d /proc/[0-9]* | wc -l');
      const [hostname, processes] = out.split('\n');
      assert.equal(hostname, 'testbox');
      assert.ok(Number(processes) < 8, `${processes} processes visible`);
    });

    test('keeps kernel settings and details of the host out of reach', async () => {
      const { out } = await sh(
        'for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/uevent_seqnum; do (echo x >$f) 2>/dev/null && echo wrote $f; done; wc -c </proc/keys; ls /sys/firmware | wc -l; head -c1 /proc/kcore 2>/dev/null | wc -c',
      );
      assert.equal(out, '0\n0\n0\n');
    });

    test('has working device nodes and no more than those', async () => {
      const { out } = await sh(
        'echo x >/dev/null; head -c3 /dev/zero | wc -c; head -c2 /dev/urandom | wc -c; ls /dev | tr "\\n" " "; touch /dev/shm/x && echo shm',
      );
      const lines = out.split('\n');
      assert.deepEqual(lines.slice(0, 2), ['3', '2']);
      assert.doesNotMatch(out, /sda|vda|kmsg|mem |loop/);
      assert.match(out, /shm$/m);
    });

    test('network none has the loopback interface only', async () => {
      const { out } = await sh('cat /proc/net/dev', { network: 'none' });
      assert.deepEqual(
        out
          .split('\n')
          .filter((line) => line.includes(':'))
          .map((line) => line.split(':')[0]?.trim()),
        ['lo'],
      );
    });

    test('mounts read-only, read-write, tmpfs and throwaway', async () => {
      const source = mkdtempSync(join(tmpdir(), 'slipway-source-'));
      writeFileSync(join(source, 'file'), 'kept');
      try {
        const { out, err } = await sh(
          'cat /ro/file; (echo x >/ro/file) 2>/dev/null || echo " ro"; echo new >/rw/made; echo junk >/over/file; cat /over/file; touch /scratch/x && echo tmpfs; cat /etc/one',
          {
            mounts: [
              { type: 'bind', source, target: '/ro', readOnly: true },
              { type: 'bind', source, target: '/rw', readOnly: false },
              { type: 'overlay', source, target: '/over' },
              { type: 'tmpfs', target: '/scratch', sizeBytes: 65536 },
              { type: 'bind', source: join(source, 'file'), target: '/etc/one', readOnly: true },
            ],
          },
        );
        assert.equal(out, 'kept ro\njunk\ntmpfs\nkept', err);
        assert.equal(readFileSync(join(source, 'file'), 'utf8'), 'kept');
        assert.equal(readFileSync(join(source, 'made'), 'utf8'), 'new\n');
      } finally {
        rmSync(source, { recursive: true, force: true });
      }
    });

    test('leaves no mount point, device or changed time behind', async () => {
      const before = traces(root);
      const { status } = await sh('true', {
        mounts: [
          { type: 'tmpfs', target: '/a/b/c' },
          { type: 'bind', source: '/etc/hosts', target: '/etc/hosts', readOnly: true },
          { type: 'bind', source: '/etc/hosts', target: '/run/secrets/key', readOnly: true },
        ],
      });
      assert.deepEqual(status, exited(0));
      assert.deepEqual(traces(root), before);
    });

    test('keeps what the process itself wrote', async () => {
      await sh('echo hello >/data/made');
      assert.equal(readFileSync(join(root, 'data/made'), 'utf8'), 'hello\n');
      rmSync(join(root, 'data/made'));
    });

    test('B57 cleaning up after a run does not follow a link the process put in the way', async () => {
      const canary = mkdtempSync(join(tmpdir(), 'slipway-canary-'));
      mkdirSync(join(canary, 'b'));
      try {
        await sh(`umount /swap/b 2>/dev/null; mv /swap /moved; ln -s ${canary} /swap`, {
          mounts: [{ type: 'tmpfs', target: '/swap/b' }],
        });
        assert.ok(existsSync(join(canary, 'b')));
      } finally {
        rmSync(join(root, 'swap'), { force: true });
        rmSync(join(root, 'moved'), { recursive: true, force: true });
        rmSync(canary, { recursive: true, force: true });
      }
    });

    test('B51 an image whose /proc or /dev is a link or a file is refused, the host untouched', async () => {
      const hostile = busyboxRoot();
      try {
        symlinkSync('/tmp', join(hostile, 'proc'));
        await assert.rejects(execute(executor, hostile, processSpec(['true'])), (error) =>
          isBuilderError(error, 'run.start-failed'),
        );
        rmSync(join(hostile, 'proc'));
        writeFileSync(join(hostile, 'dev'), '');
        await assert.rejects(execute(executor, hostile, processSpec(['true'])), (error) =>
          isBuilderError(error, 'run.start-failed'),
        );
      } finally {
        rmSync(hostile, { recursive: true, force: true });
      }
    });

    test('a file mounted over a link of the image lands inside the root', async () => {
      const hostile = busyboxRoot();
      try {
        symlinkSync('/../../tmp/slipway-escape', join(hostile, 'etc/resolv.conf'));
        const { out } = await execute(
          executor,
          hostile,
          processSpec(['cat', '/etc/resolv.conf'], {
            mounts: [{ type: 'bind', source: '/proc/version', target: '/etc/resolv.conf', readOnly: true }],
          }),
        );
        assert.match(out, /Linux/);
        assert.equal(existsSync('/tmp/slipway-escape'), false);
      } finally {
        rmSync(hostile, { recursive: true, force: true });
      }
    });

    test('an abort ends the process and says so', async () => {
      const abort = new AbortController();
      const started = Date.now();
      setTimeout(() => abort.abort(), 300);
      await assert.rejects(execute(executor, root, processSpec(['sleep', '600']), abort.signal), (error) =>
        isBuilderError(error, 'sys.cancelled'),
      );
      assert.ok(Date.now() - started < 5000);
    });

    test('runs several processes at once', async () => {
      const outcomes = await Promise.all([1, 2, 3].map((n) => sh(`echo ${n}; exit ${n}`)));
      assert.deepEqual(
        outcomes.map(({ status, out }) => [status, out]),
        [1, 2, 3].map((n) => [exited(n), `${n}\n`]),
      );
    });
  });
}
