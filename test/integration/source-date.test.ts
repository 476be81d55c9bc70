/** SOURCE_DATE_EPOCH as a number and as the name of something that has a time. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const COMMITTED = 1_500_000_000;
const SERVED = 1_400_000_000;
const NEWEST = 1_300_000_000;

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

describe('SOURCE_DATE_EPOCH', { skip: firstReason(missingPrograms('git', 'tar')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-source-date-'));
  const context = join(scratch, 'context');
  let server: ChildProcess;
  let url = '';

  before(async () => {
    mkdirSync(context);
    writeFileSync(join(context, 'note'), 'note\n');
    const tree = join(scratch, 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    const at = `@${COMMITTED} +0000`;
    const env = { ...process.env, GIT_COMMITTER_DATE: at, GIT_AUTHOR_DATE: at, GIT_CONFIG_GLOBAL: '/dev/null' };
    const git = (...words: string[]) =>
      command('git', ['-C', tree, '-c', 'user.name=x', '-c', 'user.email=x@x', ...words], { env });
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'one');
    command('git', ['clone', '-q', '--bare', tree, join(scratch, 'repo.git')], { env });
    writeFileSync(join(scratch, 'file'), 'served\n');
    utimesSync(join(scratch, 'file'), SERVED, SERVED);
    utimesSync(join(tree, 'Dockerfile'), NEWEST, NEWEST);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
    server = spawn(process.execPath, [join(import.meta.dirname, '../support/file-server.js'), scratch], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    url = await new Promise<string>((resolve) => server.stdout!.once('data', (text) => resolve(String(text).trim())));
  });
  after(() => {
    server.kill();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, account } of accounts()) {
    it(`takes its value from numbers, contexts and stages, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      const created = (file: string, ...words: string[]): string => {
        writeFileSync(join(context, 'Dockerfile'), file);
        const place = words.at(-1)?.startsWith('http') === true ? [] : [context];
        const id = rig.run('build', '-q', ...words, ...place);
        return rig.run('inspect', '--type', 'image', '--format', '{{.OCIv1.Created}}', id);
      };
      const plain = 'FROM scratch\nCOPY note /\n';
      const saidInGo = (seconds: number): string => iso(seconds).replace('T', ' ').replace('Z', ' +0000 UTC');
      assert.equal(created(`ARG SOURCE_DATE_EPOCH=1000\n${plain}`), saidInGo(1000));
      assert.equal(
        created(`ARG SOURCE_DATE_EPOCH=1000\n${plain}`, '--build-arg', 'SOURCE_DATE_EPOCH=2000'),
        saidInGo(2000),
      );
      const fromContext = ['--build-arg', 'SOURCE_DATE_EPOCH=context'];
      assert.equal(created(plain, ...fromContext, `${url}/repo.git`), saidInGo(COMMITTED));
      const named = ['--build-arg', 'SOURCE_DATE_EPOCH=src', '--build-context', `src=${url}/repo.git`];
      assert.equal(created(plain, ...named), saidInGo(COMMITTED));
      const stage = `ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD ${url}/file /\n${plain}`;
      assert.equal(created(stage), saidInGo(SERVED));
      // A local context has no time of its own, so the image gets that of the build.
      assert.notEqual(created(plain, ...fromContext).slice(0, 4), '1970');

      writeFileSync(
        join(context, 'Dockerfile'),
        `ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nCOPY note /\n${plain}`,
      );
      assert.match(rig.try(['build', context]).stderr, /which does more than fetch one remote source/);
      writeFileSync(join(context, 'Dockerfile'), `ARG SOURCE_DATE_EPOCH=soon\n${plain}`);
      assert.match(rig.try(['build', context]).stderr, /is "soon": it must be a number of seconds/);
    });
  }
});
