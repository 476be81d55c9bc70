/** Control groups of runs under an OCI runtime that were killed with all that watched them: a later run removes them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const skip = firstReason(
  !isRoot && 'control groups belong to root',
  staticBusybox() === undefined && 'not installed: a static busybox',
);

describe('control groups of killed runs', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-groups-'));
  let rig: Rig;
  before(async () => {
    makeBusyboxBase(join(scratch, 'busybox'));
    rig = await Rig.open({ account: rootAccount()! });
    rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
    for (const name of ['dead', 'alive', 'next']) rig.run('from', '--name', name, 'localhost/latest');
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('are removed by the next run, those of a run that goes on are not', async (t) => {
    if (!/^isolation: oci/m.test(rig.try(['doctor']).stdout)) return t.skip('no OCI runtime works here');
    const start = async (container: string, seconds: string) => {
      const child = rig.start(['run', '--isolation', 'oci', container, 'sleep', seconds]);
      const ended = once(child, 'exit');
      for (let tries = 0; tries < 400; tries++) {
        const pid = processes().find(({ words }) => words === `sleep ${seconds}`)?.pid;
        if (pid !== undefined) return { child, pid, ended, groups: groupsOf(pid) };
        await pause(25);
      }
      throw new Error('the command was not seen');
    };
    const dead = await start('dead', `600.${process.pid}`);
    if (dead.groups.length === 0) return t.skip('the runtime makes no control groups here');
    const name = dead.groups[0]!.split('/').at(-1)!;
    // What watches first, then the program with its group, the runtime and the command.
    for (const { pid } of processes().filter(({ words }) => words.startsWith('/bin/sh') && words.includes(name))) {
      process.kill(pid, 'SIGKILL');
    }
    process.kill(-dead.child.pid!, 'SIGKILL');
    for (const { pid } of processes().filter(({ words }) => words.includes(name))) process.kill(pid, 'SIGKILL');
    process.kill(dead.pid, 'SIGKILL');
    await dead.ended;
    for (let tries = 0; tries < 200 && existsSync(`/proc/${dead.pid}`); tries++) await pause(25);
    const alive = await start('alive', `601.${process.pid}`);
    try {
      const left = dead.groups.filter((path) => existsSync(path));
      assert.ok(left.length > 0, 'nothing was left behind');
      for (const path of [...left, ...alive.groups]) utimesSync(path, 1, 1);
      rig.run('run', '--isolation', 'oci', 'next', 'true');
      assert.deepEqual(
        left.filter((path) => existsSync(path)),
        [],
      );
      assert.deepEqual(
        alive.groups.filter((path) => !existsSync(path)),
        [],
      );
    } finally {
      process.kill(alive.pid, 'SIGKILL');
      await alive.ended;
    }
  });
});

function processes(): { readonly pid: number; readonly words: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), words: commandLine(name) }));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Directories of the groups of ours that a process is in. */
function groupsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .filter((line) => /\/slipway-[0-9a-f]{12}$/.test(line))
    .flatMap((line) => {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const folders = controllers === '' ? ['unified', '.'] : [controllers.replace(/^name=/, '')];
      return folders.map((folder) => join('/sys/fs/cgroup', folder, path)).filter((place) => existsSync(place));
    });
}
