/** Checks as a person runs them, and lint findings in builds. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Account, accounts } from '../support/account.ts';
import { Rig } from '../support/rig.ts';

const FILES: Readonly<Record<string, string>> = {
  Dockerfile: 'FROM scratch\nMAINTAINER me\nCOPY Dockerfile /\nCMD ["/x"]\n',
  clean: 'FROM scratch\nCOPY Dockerfile /\n',
  // Would fail if it ever ran: there is no shell.
  strict: '# check=error=true\nFROM scratch\nMAINTAINER me\nRUN touch /ran\n',
};

async function withFiles(account: Account, work: (rig: Rig, context: string) => void): Promise<void> {
  await using rig = await Rig.open({ account });
  const context = join(rig.folder, 'work');
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(context, name), text, { mode: 0o644 });
  work(rig, context);
}

for (const { name, account } of accounts()) {
  describe(`check, ${name}`, { skip: typeof account === 'string' && account }, () => {
    if (typeof account === 'string') return;
    it('answers by its exit code and leaves no store behind', () =>
      withFiles(account, (rig, cwd) => {
        assert.equal(rig.must(['check', '-f', 'clean'], { cwd }).stdout, 'clean: no warnings\n');
        const found = rig.try(['check'], { cwd });
        assert.deepEqual([found.status, found.stderr], [1, '']);
        assert.match(found.stdout, /^ --> Dockerfile:2:1 \[MaintainerDeprecated\]$/m);
        assert.equal(rig.try(['check', '-f', 'none'], { cwd }).status, 125);
        assert.equal(rig.try(['build', '--check', '.'], { cwd }).status, 1);
        assert.equal(existsSync(join(rig.folder, 'root')), false);
      }));
    it('reads standard input, as a file and as the context', () =>
      withFiles(account, (rig, cwd) => {
        const input = 'FROM scratch\nMAINTAINER me\n';
        for (const words of [
          ['check', '-f', '-'],
          ['check', '-'],
        ]) {
          const { status, stdout } = rig.try(words, { cwd, input });
          assert.deepEqual([status, stdout.includes(' --> -:2:1 [MaintainerDeprecated]')], [1, true], stdout);
        }
      }));
    it('tells findings of a build on stderr alone', () =>
      withFiles(account, (rig, cwd) => {
        const { stdout, stderr } = rig.must(['build', '.'], { cwd });
        assert.doesNotMatch(stdout, /warning|deprecated/i);
        assert.match(stderr, /^warning: \S*Dockerfile:2: MAINTAINER is deprecated .* \[MaintainerDeprecated\]$/m);
        const skip = ['--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=skip=MaintainerDeprecated'];
        assert.doesNotMatch(rig.must(['build', ...skip, '.'], { cwd }).stderr, /warning/);
        assert.doesNotMatch(rig.must(['build', '-q', '.'], { cwd }).stderr, /warning/);
      }));
    it('fails a build before anything runs where the file says so', () =>
      withFiles(account, (rig, cwd) => {
        const { status, stdout, stderr } = rig.try(['build', '-f', 'strict', '.'], { cwd });
        assert.deepEqual([status, stdout], [125, '']);
        assert.match(stderr, /lint findings fail the build, and there are: MaintainerDeprecated/);
        const off = ['--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=error=false'];
        assert.match(rig.try(['build', ...off, '-f', 'strict', '.'], { cwd }).stdout, /RUN touch/);
      }));
  });
}
