/** Stores that were damaged, clocks that jumped, locks and builds that were left behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { processesWith, waitUntilNone } from '../support/processes.ts';
import { Rig } from '../support/rig.ts';

const account = accounts().find((known) => typeof known.account !== 'string')?.account;
const skip = firstReason(
  typeof account !== 'object' && 'no account to run as',
  staticBusybox() === undefined && 'not installed: a static busybox',
);

describe('stores that were damaged', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-store-'));
  const layout = `oci:${join(scratch, 'busybox')}:latest`;
  let rig: Rig;
  before(async () => {
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'go=rX', scratch]);
    if (typeof account === 'object') rig = await Rig.open({ account });
    rig.run('pull', '-q', layout);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });
  const base = (): string => join(rig.folder, 'root/v1');
  const blobs = (): string[] =>
    readdirSync(join(base(), 'blobs/sha256')).map((name) => join(base(), 'blobs/sha256', name));
  let sent = 0;
  const send = (): string[] => ['push', '-q', 'localhost/latest', `dir:${join(rig.folder, `work/sent-${++sent}`)}`];

  it('F18 one bit flipped in any blob is found before the blob is used', () => {
    for (const path of blobs()) {
      const content = readFileSync(path);
      const flipped = Buffer.from(content);
      flipped[content.length >> 1]! ^= 1;
      writeFileSync(path, flipped);
      const result = rig.try(send());
      const checked = rig.try(['system', 'check', '--read-data']);

      writeFileSync(path, content);
      assert.equal(result.status, 125, path);
      assert.match(result.stderr, /sha256:[0-9a-f]{64}/);
      assert.doesNotMatch(result.stderr + checked.stderr, /This is a bug/);
      assert.notEqual(checked.status, 0, checked.stdout);
      assert.ok((checked.stdout + checked.stderr).includes(basename(path).slice(0, 12)), checked.stdout);
    }
    rig.run(...send());
  });

  it('F18 a table, a record or a lock that is garbage is named, or is as good as not there', () => {
    for (const [name, isNamed] of [
      ['images.json', true],
      ['locks/use', false],
      ['locks/images', false],
    ] as const) {
      const path = join(base(), name);
      const content = readFileSync(path);
      writeFileSync(path, '\0garbage{');
      const listed = rig.try(['images', '-q']);
      assert.equal(listed.status, isNamed ? 125 : 0, listed.stderr);
      if (isNamed) assert.match(listed.stderr, /Error: the store file ".*|Error: the store file \/.*images\.json/);
      assert.doesNotMatch(listed.stderr, /This is a bug/);
      writeFileSync(path, content);
    }
    assert.match(rig.run('images', '-q'), /^[0-9a-f]{12}$/);
  });

  it('F19 a blob that is gone is named, and pulling again heals', () => {
    for (const path of blobs()) {
      rmSync(path);
      const failed = rig.try(send());
      if (failed.status !== 0) assert.match(failed.stderr, /sha256:[0-9a-f]{64}/);
      assert.doesNotMatch(failed.stderr, /This is a bug/);
      rig.run('pull', '-q', layout);
      rig.run(...send());
    }
  });

  it('F20 locks that the dead left behind hold nobody up', () => {
    for (const name of readdirSync(join(base(), 'locks'))) writeFileSync(join(base(), 'locks', name), '1\n');
    mkdirSync(join(base(), 'tmp/p-dead00'), { recursive: true });
    writeFileSync(join(base(), 'tmp/p-dead00/lock'), `${process.pid}\n`);
    rig.run('images', '-q');
    assert.deepEqual(readdirSync(join(base(), 'tmp')), []);
  });

  it('F21 a clock that jumps ten years either way deletes nothing that is in use', () => {
    const box = rig.run('from', 'localhost/latest');
    for (const when of ['10 years ago', 'now + 10 years']) {
      command('find', [base(), '-exec', 'touch', '-h', '-d', when, '{}', '+']);
      rig.run('prune', '-f');
      rig.run('run', box, 'true');
      rig.run(...send());
    }
    rig.run('rm', box);
  });

  it('F09 a second SIGINT ends it at once, and the next command cleans up', async () => {
    const mark = `301.${process.pid}`;
    const context = rig.makeFolder('work/slow');
    writeFileSync(join(context, 'Dockerfile'), `FROM localhost/latest\nRUN sleep ${mark}\n`);
    rig.give(context);
    const child = rig.start(['build', '-q', '--no-cache', context]);
    const ended = once(child, 'exit');
    for (let tries = 0; processesWith(mark).length === 0 && tries < 500; tries++) await pause(20);
    process.kill(child.pid!, 'SIGINT');
    await pause(5);
    process.kill(child.pid!, 'SIGINT');
    const [code] = (await ended) as [number | null];
    assert.equal(code, 130);
    assert.deepEqual(await waitUntilNone(() => processesWith(mark), 3000), []);
    rig.run('images', '-q');
  });
});
