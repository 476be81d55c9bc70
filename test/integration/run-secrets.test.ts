/** Secrets, keys and caches of RUN across processes: what is secret reaches no disk, no argument and no record. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms, tryCommand } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const SECRET = 'correct-horse-battery-staple-4711';

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1200) throw new Error('it never happened');
    await pause(50);
  }
}

/** Files below a folder, mounts of others left out, that hold the text. */
function filesWith(text: string, folder: string): string[] {
  return tryCommand('grep', ['-rlaF', text, folder])
    .stdout.split('\n')
    .filter((line) => line !== '');
}

function commandLines(): string {
  return tryCommand('/bin/sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"']).stdout;
}

describe('what a RUN may see and nobody may keep', {
  skip: firstReason(
    staticBusybox() === undefined && 'not installed: a static busybox',
    missingPrograms('ssh-keygen', 'grep'),
  ),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-secrets-'));
  const context = join(scratch, 'context');
  const secrets = join(scratch, 'secrets');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    mkdirSync(secrets);
    writeFileSync(join(secrets, 'value'), SECRET);
    command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(secrets, 'key')]);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
    chmodSync(scratch, 0o755);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));
  // A line from the middle of the key, as it would be anywhere it was written.
  const keyLine = (): string => readFileSync(join(secrets, 'key'), 'utf8').split('\n')[2] ?? '';

  for (const { name, account } of accounts()) {
    // Ordinary users have isolation rootless in the place of oci.
    for (const isolation of [name === 'root' ? 'oci' : 'rootless', 'chroot']) {
      it(`B64 secrets and keys are in no file, argument, record or message, ${isolation}, ${name}`, {
        skip: firstReason(typeof account === 'string' && account, isolation !== 'chroot' && missingPrograms('runc')),
      }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        const signals = rig.makeFolder('signals');
        const file = join(rig.folder, 'work', 'Dockerfile');
        writeFileSync(
          file,
          [
            'FROM localhost/latest',
            'RUN --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=s --mount=type=ssh \\',
            '  test "$TOKEN" = "$(cat /run/secrets/s)" && test -S "$SSH_AUTH_SOCK" && touch /signals/ready && \\',
            '  while ! test -e /signals/go; do sleep 0.1; done; echo done > /out',
            'RUN test -z "$TOKEN$SSH_AUTH_SOCK" -a ! -e /run/secrets',
          ].join('\n'),
        );
        chmodSync(file, 0o644);
        const words = [
          '--log-level',
          'debug',
          'build',
          '--layers',
          '--isolation',
          isolation,
          '-v',
          `${signals}:/signals`,
        ];
        const secret = ['--secret', `id=s,src=${join(secrets, 'value')}`, '--ssh', `default=${join(secrets, 'key')}`];
        const log = join(rig.folder, 'work', 'log');
        const all = [...words, ...secret, '-t', 'result', '-f', file, context];
        const script = `exec "$0" "$@" > '${log}' 2>&1`;
        const child = rig.startProgram('/bin/sh', ['-c', script, rig.program, ...rig.storeFlags, ...all]);
        const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
        await until(() => existsSync(join(signals, 'ready')) || child.exitCode !== null);
        const lines = commandLines();
        const found = [...filesWith(SECRET, rig.folder), ...filesWith(keyLine(), rig.folder)];
        writeFileSync(join(signals, 'go'), '');
        assert.equal(await ended, 0, readFileSync(log, 'utf8'));
        assert.deepEqual(found, []);
        assert.ok(!lines.includes(SECRET) && !lines.includes(keyLine()));
        for (const text of [SECRET, keyLine()]) {
          assert.deepEqual(filesWith(text, rig.folder), []);
          assert.ok(!rig.run('inspect', '--type', 'image', 'result').includes(text));
        }
      });
    }

    it(`a locked cache is one builder's at a time, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      const file = join(rig.folder, 'work', 'Dockerfile');
      const line =
        'RUN --mount=type=cache,id=c,target=/c,sharing=locked echo in >> /c/log; sleep 0.3; echo out >> /c/log';
      writeFileSync(file, `FROM localhost/latest\n${line}\n`);
      chmodSync(file, 0o644);
      const children = [1, 2, 3].map(() => rig.start(['build', '-f', file, context]));
      const codes = await Promise.all(
        children.map((child) => new Promise<number | null>((resolve) => child.on('exit', resolve))),
      );
      assert.deepEqual(codes, [0, 0, 0]);
      const read = 'FROM localhost/latest\nRUN --mount=type=cache,id=c,target=/c cat /c/log\n';
      writeFileSync(file, read);
      const shown = rig.run('build', '-f', file, context);
      assert.deepEqual(shown.match(/^(in|out)$/gm), ['in', 'out', 'in', 'out', 'in', 'out']);
    });
  }
});
