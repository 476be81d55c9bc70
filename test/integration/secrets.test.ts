/**
 * Secrets never touch a disk: neither as a file nor as a variable, in any isolation, while the step runs or after. The
 * search is made from outside the program's mount namespace, where only what is on a disk can be seen.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { seeOneCgroupVersion } from '../support/cgroup-view.ts';
import { command, firstReason, tryCommand } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const SECRET = `tell-nobody-${process.pid}-0f3a9c`;
/** Written by the step itself: shows that the search sees what is on disk while it runs. */
const PLAIN = `tell-everybody-${process.pid}`;
const ISOLATIONS = [['chroot'], ['oci', 'runc'], ['oci', 'crun'], ['oci', 'runsc']] as const;

/** Files below a folder that hold the word. */
function filesWith(word: string, folder: string): string[] {
  const found = tryCommand('grep', ['-rlaF', '--devices=skip', word, folder]);
  return found.stdout.split('\n').filter((line) => line !== '');
}

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

describe('secrets', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-secrets-'));
  before(() => {
    seeOneCgroupVersion();
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context'));
    writeFileSync(join(scratch, 'secret'), SECRET);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    for (const [isolation, runtime] of ISOLATIONS) {
      const how = runtime ?? isolation;
      it(`B64 are in memory only, ${how}, as ${name}`, {
        skip: typeof account === 'string' && account,
      }, async (t) => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        const flags = ['--isolation', isolation, ...(runtime === undefined ? [] : ['--runtime', runtime])];
        const trial = rig.try(['run', ...flags, rig.run('from', 'localhost/latest'), 'true']);
        if (/does not work here/.test(trial.stderr)) return t.skip(trial.stderr.split('\n')[0]);

        const mounts = '--mount=type=secret,id=k,env=TOKEN --mount=type=secret,id=k,required';
        const test = `test "$TOKEN" = "$(cat /run/secrets/k)" && test \${#TOKEN} = ${SECRET.length}`;
        // Written in two parts, so that the word is nowhere but in the file.
        const write = `echo '${PLAIN.slice(0, 4)}''${PLAIN.slice(4)}' >/seen`;
        const run = `RUN ${mounts} ${test} && ${write} && until test -e /gate/open; do sleep 0.1; done`;
        writeFileSync(join(scratch, 'context/Dockerfile'), `FROM localhost/latest\n${run}\n`);
        const gate = rig.makeFolder('gate');
        const given = ['--secret', `id=k,src=${join(scratch, 'secret')}`, '--volume', `${gate}:/gate`];
        const child = rig.start(['build', '--layers', ...flags, ...given, join(scratch, 'context')]);
        const ended = new Promise((resolve) => child.once('exit', resolve));
        const root = join(rig.folder, 'root');
        while (child.exitCode === null && filesWith(PLAIN, root).length === 0) await pause(50);
        assert.equal(child.exitCode, null, 'the step ended before it was let go');
        const during = filesWith(SECRET, rig.folder);
        writeFileSync(join(gate, 'open'), '');
        assert.equal(await ended, 0);
        assert.deepEqual(during, [], 'while the step ran');
        assert.deepEqual(filesWith(SECRET, rig.folder), [], 'after the build');
      });
    }
  }
});
