/** `build --mount`: what the command line mounts is there in every RUN and counts for its key. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

describe('build --mount', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-build-mount-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM localhost/latest\nRUN cat /shown/note && cp /shown/note /kept\n');
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    it(`shows the context to a RUN and misses when it changed, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      const build = (text: string): string => {
        writeFileSync(join(context, 'note'), text);
        command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
        return rig.run('build', '--layers', '--mount', 'type=bind,target=/shown', context);
      };
      assert.match(build('one\n'), /^one$/m);
      assert.match(build('one\n'), /Using cache/);
      assert.match(build('two\n'), /^two$/m);
      assert.notEqual(rig.try(['build', '--layers', '--rm=false', context]).status, 0);
    });
  }
});
