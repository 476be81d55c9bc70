/**
 * Disks that are full, out of inodes, read-only or broken, and readers that go away. Each time the command ends with an
 * exit code that is not 0 and says in a line which file and why; the store goes on working with what it held.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts, isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { onOwnDisk, ownDiskProblem } from '../support/own-disk.ts';
import { quote, Rig } from '../support/rig.ts';

const BIG_BYTES = 3_000_000;
const DOCKERFILE = `FROM localhost/latest
COPY big /big
RUN head -c ${BIG_BYTES} /dev/zero >/zeros || true
`;

describe('disks that fail', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-faults-'));
  const context = join(scratch, 'context');
  const layout = join(scratch, 'busybox');
  before(() => {
    makeBusyboxBase(layout);
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    writeFileSync(join(context, 'big'), Buffer.alloc(BIG_BYTES, 'not zeros '));
    command('chmod', ['-R', 'go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  /** What every command must hold to, and the store afterwards. The last line is `ok`, or what is wrong. */
  const CHECKS = `
try() {
  slipway "$@" >"$disk.out" 2>"$disk.err"; code=$?
  cat "$disk.err" >&2
  if grep -q 'internal\\|This is a bug' "$disk.err"; then echo "a bug: $*"; fi
  if [ $code != 0 ] && ! grep -q "$WHY" "$disk.err"; then echo "not said why: $*: $(cat "$disk.err")"; fi
  echo "$1 $code"
}
leftovers() { find "$disk/root/v1/tmp" "$disk/root/v1/rootfs/"*/active -mindepth 1 2>/dev/null; }
`;

  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      before(async () => {
        if (typeof account !== 'string') rig = await Rig.open({ account });
      });
      after(() => rig?.[Symbol.asyncDispose]());

      const disk = { skip: ownDiskProblem() };
      // What differs between the accounts is how trees are written; the rest is tried once.
      const sizes = name === 'root' ? [1000, 2500, 4500, 8000] : [2500];
      const build = `try build -q --layers --no-cache -t kept ${quote(context)}`;
      const pull = `try pull -q oci:${quote(layout)}:latest`;

      for (const [row, what, disks] of [
        ['F12', 'bytes', sizes.map((kib) => `size=${kib}k`)],
        ['F13', 'inodes', (name === 'root' ? [20, 70] : [60]).map((n) => `size=50m,nr_inodes=${n}`)],
      ] as const) {
        for (const options of disks) {
          it(`${row} a disk without ${what}, ${options}: the file is named and the store stays whole`, disk, () => {
            const script = `${CHECKS}${pull}\n[ $code = 0 ] && ${build}\nleftovers\ntry images -q\ntry prune -a -f\nleftovers`;
            const { stdout, stderr } = onOwnDisk(rig, { disk: options, script, env: { WHY: '[^"]*no space left' } });
            const lines = stdout.trim().split('\n');
            assert.deepEqual(
              lines.filter((line) => !/^(pull|build|images|prune) (0|125)$/.test(line)),
              [],
            );
            assert.ok(lines.includes('images 0') || lines.includes('pull 125'), stdout);
            assert.ok(lines.includes('prune 0') || lines.includes('pull 125'), stdout + stderr);
            assert.ok(stdout.includes(' 125'), `the disk was large enough: ${stdout}`);
            assert.match(stderr, /no space left on device \(ENOSPC\)/);
          });
        }
      }

      if (name !== 'root') return;
      it('F16 a read-only store is looked at, and a change is refused in one line', disk, () => {
        const looks = ['images -q', 'containers -q', 'inspect localhost/latest', 'history localhost/latest', 'info'];
        const changes = ['tag localhost/latest x', 'from localhost/latest', `build -q ${quote(context)}`, 'rm box'];
        const { stdout, stderr } = onOwnDisk(rig, {
          disk: 'size=50m',
          before: `slipway pull -q oci:${quote(layout)}:latest && slipway from --name box localhost/latest`,
          remount: 'ro',
          script: [...looks, ...changes]
            .map((words) => `slipway ${words} >/dev/null; echo $? ${quote(words)}`)
            .join('\n'),
          env: { TMPDIR: '/tmp' },
        });
        const lines = [...looks.map((words) => `0 ${words}`), ...changes.map((words) => `125 ${words}`)];
        assert.equal(
          stdout
            .split('\n')
            .slice(-lines.length - 1)
            .join('\n'),
          `${lines.join('\n')}\n`,
        );
        const errors = stderr.trim().split('\n');
        assert.equal(errors.length, changes.length, stderr);
        for (const line of errors) assert.match(line, /^Error: .*"\/.*read-only file system \(EROFS\)$/);
      });

      it('F16 a read-only home and temporary directory, and no environment at all', disk, () => {
        const { stdout, stderr, status } = onOwnDisk(rig, {
          disk: 'size=50m',
          script: `
set -e
slipway pull -q oci:${quote(layout)}:latest
for name in HOME TMPDIR XDG_RUNTIME_DIR; do
  ( export $name=/sys; slipway build -q ${quote(context)} )
done
( unset HOME TMPDIR XDG_RUNTIME_DIR; slipway build -q ${quote(context)} )
`,
        });
        assert.equal(status, 0, stderr);
        assert.equal(stdout.match(/^[0-9a-f]{64}$/gm)?.length, 5, stdout);
      });
    });
  }

  describe('calls that fail', { skip: firstReason(!isRoot && 'needs root', missingPrograms('strace')) }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.open({ account: rootAccount()! });
      rig.run('pull', '-q', `oci:${layout}:latest`);
    });
    after(() => rig?.[Symbol.asyncDispose]());

    /** Runs a command while calls of the kernel give an error. */
    const injecting = (call: string, error: string, paths: readonly string[], words: readonly string[]) => {
      // Of a call that names no file only the first: later ones may be somebody else's.
      const times = paths.length === 0 ? ':when=1' : '';
      const where = paths.flatMap((path) => ['-P', path]);
      const tracing = [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        `trace=${call}`,
        '-e',
        `inject=${call}:error=${error}${times}`,
      ];
      return rig.command(
        'sh',
        ['-c', '"$@" 2>&1; echo $?', 'sh', 'strace', ...where, ...tracing, rig.program, ...rig.storeFlags, ...words],
        { timeoutMs: 30_000 },
      );
    };
    const blobs = (): string[] =>
      readdirSync(join(rig.folder, 'root/v1/blobs/sha256')).map((name) =>
        join(rig.folder, 'root/v1/blobs/sha256', name),
      );

    it('F14 a blob that cannot be read is named by its digest', () => {
      const config = blobs().find((path) => readFileSync(path).includes('"rootfs"')) ?? '';
      const layer = blobs().reduce((a, b) => (statSync(a).size > statSync(b).size ? a : b));
      for (const [path, words] of [
        [config, ['inspect', 'localhost/latest']],
        [layer, ['push', '-q', 'localhost/latest', `dir:${join(rig.folder, 'work/pushed')}`]],
      ] as const) {
        const said = injecting('read,pread64', 'EIO', [path], words);
        assert.match(said, new RegExp(`cannot read the blob sha256:${basename(path)} of the store: the disk says EIO`));
        assert.match(said, /help: remove the image/);
        assert.match(said, /\n125\n$/);
      }
      assert.equal(rig.try(['inspect', 'localhost/latest']).status, 0);
    });

    for (const error of ['EDQUOT', 'EIO'] as const) {
      it(`F13 F12 ${error} from fsync is an error that names the file, and nothing gets a name`, () => {
        const before = blobs();
        const images = rig.run('images', '-q');
        const said = injecting('fsync,fdatasync', error, [], ['build', '-q', '--no-cache', '-t', 'lost', context]);
        assert.match(said, new RegExp(`cannot fsync "/.*\\(${error}\\)`));
        assert.match(said, /\n125\n$/);
        assert.equal(rig.run('images', '-q'), images);
        assert.deepEqual(blobs(), before);
      });
    }

    it('F15 too few descriptors are said to be too few', () => {
      for (const limit of [20, 32]) {
        const script = `ulimit -n ${limit}; "$@" 2>&1; echo $?`;
        const words = [rig.program, ...rig.storeFlags, 'build', '-q', '--no-cache', context];
        const said = rig.command('sh', ['-c', script, 'sh', ...words]);
        assert.match(said, /EMFILE[\s\S]*\n125\n$/);
        assert.doesNotMatch(said, /This is a bug/);
      }
      const script = 'ulimit -n 64; exec "$@"';
      rig.command('sh', ['-c', script, 'sh', rig.program, ...rig.storeFlags, 'build', '-q', '--no-cache', context]);
    });

    it('F11 nobody reads standard output, or it is full', () => {
      const build = ['build', '--no-cache', '-t', 'unread', context];
      for (const words of [['images'], ['inspect', 'localhost/latest'], build]) {
        const all = [rig.program, ...rig.storeFlags, ...words].map(quote).join(' ');
        const full = rig.command('sh', ['-c', `${all} 2>&1 >/dev/full; echo $?`]);
        assert.match(full, /Error: cannot write to standard output: ENOSPC: .*\n125\n$/, words[0]);
        const gone = rig.command('bash', [
          '-c',
          `${all} 2>${quote(join(rig.folder, 'work/err'))} | true; echo $PIPESTATUS`,
        ]);
        assert.equal(gone, '141\n', words[0]);
        assert.equal(readFileSync(join(rig.folder, 'work/err'), 'utf8'), '');
      }
      assert.deepEqual(readdirSync(join(rig.folder, 'root/v1/tmp')), []);
    });
  });
});
