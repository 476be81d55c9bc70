/** Flags of `run`, `from` and `build` that decide what surrounds a process: namespaces, groups, limits, hooks. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Account, accounts, isRoot } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

type Kind = 'cgroup' | 'ipc' | 'pid' | 'uts';

/** Of this process; as an ordinary user the program stays in it too. */
const own = (kind: Kind): string => readlinkSync(`/proc/self/ns/${kind}`);

describe('what surrounds a run', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-run-settings-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const open = async (account: Account): Promise<Rig> => {
    const rig = await Rig.open({ account });
    rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
    return rig;
  };
  /** Why no OCI runtime can be had; that chroot takes its place would make a test meaningless. */
  const runtimeProblem = (rig: Rig): string | undefined => {
    const found = rig.try(['doctor']).stdout.match(/^isolation: (\w+)/m)?.[1];
    return found === 'oci' || found === 'rootless' ? undefined : 'no OCI runtime works here';
  };

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;

    it(`namespaces of the caller are shared when asked for, ${name}`, { skip }, async (t) => {
      if (typeof account === 'string') return;
      await using rig = await open(account);
      rig.run('from', '--name', 'work', 'localhost/latest');
      const inside = (isolation: string, kind: Kind, mode: string): string => {
        const flag = kind === 'cgroup' ? '--cgroupns' : `--${kind}`;
        return rig.run(
          'run',
          '--isolation',
          isolation,
          flag,
          mode,
          'work',
          'busybox',
          'readlink',
          `/proc/self/ns/${kind}`,
        );
      };
      const oci = runtimeProblem(rig) === undefined ? (['oci'] as const) : [];
      if (oci.length === 0) t.diagnostic('OCI runtimes are left out: none works here');
      for (const isolation of ['chroot', ...oci]) {
        const kinds: readonly Kind[] = isolation === 'chroot' ? ['cgroup', 'ipc', 'uts'] : ['ipc', 'pid', 'uts'];
        for (const kind of kinds) {
          assert.notEqual(inside(isolation, kind, 'private'), own(kind), `${isolation} ${kind}`);
          assert.equal(inside(isolation, kind, 'host'), own(kind), `${isolation} ${kind}`);
        }
        assert.equal(
          rig.run('run', '--isolation', isolation, '--uts', 'host', 'work', 'busybox', 'hostname'),
          hostname(),
        );
      }
      const refused = rig.try(['run', '--isolation', 'chroot', '--pid', 'host', 'work', 'true']);
      assert.match(refused.stderr, /isolation chroot cannot share a process namespace/);
      assert.match(rig.try(['run', '--ipc', 'shared', 'work', 'true']).stderr, /invalid ipc namespace "shared"/);
    });

    it(`groups are added by name and number, ${name}`, { skip }, async () => {
      if (typeof account === 'string') return;
      await using rig = await open(account);
      rig.run('from', '--name', 'plain', 'localhost/latest');
      rig.run('run', 'plain', 'sh', '-c', 'mkdir -p /etc && echo makers:x:77: >> /etc/group');
      rig.run('commit', '-q', 'plain', 'localhost/grouped');
      rig.run('from', '--name', 'work', '--group-add', '42', '--group-add', 'makers', 'localhost/grouped');
      assert.match(rig.run('run', 'work', 'id', '-G'), /\b42\b.*\b77\b|\b77\b.*\b42\b/);
      rig.run('from', '--name', 'odd', '--group-add', 'nobodies', 'localhost/grouped');
      assert.match(rig.try(['run', 'odd', 'true']).stderr, /unknown group "nobodies"/);
    });
  }

  it('a namespace is entered by its file', { skip: !isRoot && 'needs the right to enter namespaces' }, async () => {
    const holder = spawn('unshare', ['--ipc', 'sleep', '60'], { stdio: 'ignore' });
    try {
      const path = `/proc/${holder.pid}/ns/ipc`;
      await entered(holder, path);
      await using rig = await open(accounts()[0]!.account as Account);
      rig.run('from', '--name', 'work', '--ipc', path, 'localhost/latest');
      for (const isolation of ['chroot', 'oci']) {
        if (isolation === 'oci' && runtimeProblem(rig) !== undefined) continue;
        const inside = rig.run('run', '--isolation', isolation, 'work', 'busybox', 'readlink', '/proc/self/ns/ipc');
        assert.equal(inside, readlinkSync(path));
      }
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('limits hold under an OCI runtime and are refused where there are no control groups', {
    skip: !isRoot && 'control groups belong to root',
  }, async (t) => {
    await using rig = await open(accounts()[0]!.account as Account);
    rig.run('from', '--name', 'work', '--memory', '32m', '--memory-swap', '32m', 'localhost/latest');
    const greedy = 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo survived';
    const refused = rig.try(['run', '--isolation', 'chroot', 'work', 'true']);
    assert.match(refused.stderr, /isolation chroot cannot limit CPU or memory/);
    const problem = runtimeProblem(rig);
    if (problem !== undefined) return t.skip(problem);
    assert.equal(rig.run('run', '--isolation', 'oci', 'work', 'echo', 'small'), 'small');
    const result = rig.try(['run', '--isolation', 'oci', 'work', 'sh', '-c', greedy]);
    assert.doesNotMatch(result.stdout, /survived/);
  });

  it('hooks run for the processes they are meant for', {
    skip: !isRoot && 'needs an OCI runtime as root',
  }, async (t) => {
    await using rig = await open(accounts()[0]!.account as Account);
    const problem = runtimeProblem(rig);
    if (problem !== undefined) return t.skip(problem);
    const hooks = join(scratch, 'hooks');
    mkdirSync(hooks);
    const hook = (file: string, when: object): void => {
      const mark = join(scratch, `${file}-ran`);
      const body = {
        version: '1.0.0',
        hook: { path: '/bin/touch', args: ['touch', mark] },
        when,
        stages: ['prestart'],
      };
      writeFileSync(join(hooks, `${file}.json`), JSON.stringify(body));
    };
    hook('every', { always: true });
    hook('shells', { always: true, commands: ['^/bin/sh$'] });
    hook('others', { commands: ['^/usr/bin/cc$'] });
    writeFileSync(join(scratch, 'Containerfile'), 'FROM localhost/latest\nRUN true\n');
    const build = [
      'build',
      '-q',
      '--isolation',
      'oci',
      '--hooks-dir',
      hooks,
      '-f',
      join(scratch, 'Containerfile'),
      hooks,
    ];
    rig.run(...build);
    const ran = ['every', 'shells', 'others'].map((file) => existsSync(join(scratch, `${file}-ran`)));
    assert.deepEqual(ran, [true, true, false]);
    writeFileSync(join(hooks, 'bad.json'), '{"version": "2.0"}');
    assert.match(rig.try(build).stderr, /bad\.json cannot be used: its \/version is not "1\.0\.0"/);
  });
});

/** Until the process has left this namespace. */
async function entered(holder: ChildProcess, path: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (holder.exitCode !== null) throw new Error('unshare ended');
    if (readlinkSync(path) !== own('ipc')) return;
    await pause(10);
  }
  throw new Error('unshare made no namespace');
}
