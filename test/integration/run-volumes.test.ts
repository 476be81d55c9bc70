/** Volumes of `run` with every option that does something, and terminals that follow the size of the caller's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { seeOneCgroupVersion } from '../support/cgroup-view.ts';
import { command, findProgram, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const ISOLATIONS = [['chroot'], ['oci', 'runc'], ['oci', 'crun']] as const;

/** A terminal of 30 lines around a program; once it says "ready", the terminal gets 44 lines of 99 columns. */
const RESIZER = `
import fcntl, os, pty, struct, sys, termios
def size(fd, rows, columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    size(0, 30, 70)
    os.execvp(sys.argv[1], sys.argv[1:])
seen, resized = b"", False
while True:
    try: chunk = os.read(fd, 4096)
    except OSError: break
    if not chunk: break
    seen += chunk
    if b"ready" in seen and not resized:
        resized = True
        size(fd, 44, 99)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

describe('volumes and terminals', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-run-volumes-'));
  before(() => {
    seeOneCgroupVersion();
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const open = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      const rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      rig.run('from', '--name', 'work', 'localhost/latest');
      return rig;
    };
    for (const [isolation, runtime] of ISOLATIONS) {
      const how = `${runtime ?? isolation}, ${name}`;
      const isolated = ['--isolation', isolation, ...(runtime === undefined ? [] : ['--runtime', runtime])];
      const problem = (rig: Rig): string | undefined => {
        const { status, stderr } = rig.try(['run', ...isolated, 'work', 'busybox', 'true']);
        return status !== 0 && /does not work here/.test(stderr) ? stderr : undefined;
      };

      it(`-v: read-only, throwaway, kept and owned, ${how}`, { skip }, async (t) => {
        await using rig = await open();
        const reason = problem(rig);
        if (reason !== undefined) return t.skip(reason);
        const [data, upper, work] = ['data', 'upper', 'work'].map((folder) => rig.makeFolder(`volume-${folder}`));
        mkdirSync(join(data!, 'below'));
        writeFileSync(join(data!, 'below/file'), 'host\n');
        symlinkSync('/etc/hostname', join(data!, 'link'));
        rig.give(data!);
        const sh = (options: string, script: string, ...flags: readonly string[]) =>
          rig.try(['run', ...isolated, ...flags, '-v', `${data}:/v${options}`, 'work', 'busybox', 'sh', '-c', script]);
        assert.equal(
          sh(':ro,z', 'cat /v/below/file; echo x > /v/new 2>/dev/null || echo refused').stdout,
          'host\nrefused\n',
        );
        assert.equal(sh(':O', 'echo inside > /v/below/file; cat /v/below/file').stdout, 'inside\n');
        const kept = `:O,upperdir=${upper},workdir=${work}`;
        assert.equal(sh(kept, 'echo kept > /v/below/file').status, 0);
        assert.equal(sh(kept, 'cat /v/below/file').stdout, 'kept\n');
        assert.equal(readFileSync(join(data!, 'below/file'), 'utf8'), 'host\n');
        const before = statSync('/etc/hostname').uid;
        const owned = sh(':U', 'stat -c %u:%g /v /v/below /v/below/file /v/link', '--user', '7:8');
        assert.deepEqual(owned.stdout, '7:8\n'.repeat(4), owned.stderr);
        assert.equal(statSync('/etc/hostname').uid, before);
        assert.equal(sh(':U', 'true', '--user', '0:0').status, 0);
        const refused = rig.try(['run', ...isolated, '-v', '/etc:/v:U', 'work', 'true']);
        assert.match(refused.stderr, /the owner of \/etc is not changed/);
      });

      it(`a terminal has the caller's size, and follows it, ${how}`, {
        skip: skip || (findProgram('python3') === undefined && 'not installed: python3'),
      }, async (t) => {
        await using rig = await open();
        const reason = problem(rig);
        if (reason !== undefined) return t.skip(reason);
        // The first size may come after the start, with a signal of its own.
        const script = `trap w=1 WINCH; i=0
          is() { until [ "$(stty size)" = "$1" ]; do i=$((i+1)); [ $i -lt 200 ] || exit 9; sleep 0.05; done; }
          tty -s || exit 8; is "30 70"; w=0; echo ready; is "44 99"; [ $w = 1 ] && exit 3`;
        const words = [rig.program, ...rig.storeFlags, 'run', ...isolated, 'work', 'busybox', 'sh', '-c', script];
        const { uid, gid } = rig.account;
        const result = spawnSync('python3', ['-c', RESIZER, ...words], {
          uid,
          gid,
          env: { ...rig.env, TERM: 'xterm' },
          cwd: join(rig.folder, 'work'),
          encoding: 'utf8',
        });
        assert.equal(result.status, 3, result.stdout + result.stderr);
      });
    }

    it(`--mount: the mode of a tmpfs, and a source without what is mounted below it, ${name}`, { skip }, async () => {
      await using rig = await open();
      const run = (mount: string, ...command: readonly string[]) =>
        rig.run('run', '--isolation', 'chroot', '--mount', mount, 'work', 'busybox', ...command);
      assert.equal(run('type=tmpfs,target=/t,tmpfs-mode=0711', 'stat', '-c', '%a', '/t'), '711');
      writeFileSync(join(rig.folder, 'work/near'), 'near\n');
      assert.equal(run(`type=bind,source=${join(rig.folder, 'work', 'near')},target=/n`, 'cat', '/n'), 'near');
      assert.equal(run('type=bind,source=near,target=/n', 'cat', '/n'), 'near');
      const none = rig.try(['run', '--mount', 'type=bind,target=/n', 'work', 'true']);
      assert.match(none.stderr, /the mount "type=bind,target=\/n" has no source/);
      if (rig.account.kind !== 'root') return;
      const source = rig.makeFolder('source');
      mkdirSync(join(source, 'below'));
      const seen = (options: string): string => {
        const words = [rig.program, ...rig.storeFlags, 'run', '--isolation', 'chroot'];
        const mount = [
          '--mount',
          `type=bind,source=${source},target=/s${options}`,
          'work',
          'busybox',
          'ls',
          '/s/below',
        ];
        const script = 'mount -t tmpfs none "$0" && touch "$0/inside" && exec "$@"';
        return rig.command('unshare', ['-m', 'sh', '-c', script, join(source, 'below'), ...words, ...mount]);
      };
      assert.deepEqual([seen(''), seen(',bind-nonrecursive')], ['inside\n', '']);
    });

    it(`the user namespace is the store's, ${name}`, { skip }, async () => {
      await using rig = await open();
      rig.run('from', '--userns', 'host', '--name', 'other', 'localhost/latest');
      const refused = rig.try(['from', '--userns', 'private', 'localhost/latest']);
      assert.equal(refused.status, 125);
      assert.match(refused.stderr, /--userns=private.*files belong to the ids/s);
    });
  }
});
