/** What must miss and what must hit, and what is said of it: `build --explain`, `why`, `--dry-run`, `--cache-ttl`. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const DOCKERFILE = `FROM localhost/latest AS build
WORKDIR /
COPY src /src
ARG VERSION
RUN --mount=type=secret,id=token echo "$VERSION" > /version
ARG UNUSED
FROM localhost/latest
COPY --from=build /src/a /version /out/
CMD ["sh"]
`;

describe('why steps are run', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-explain-'));
  const context = join(scratch, 'context');
  const path = (name: string): string => join(context, name);
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(context, 'src'), { recursive: true });
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    it(`is said step by step, ${name}`, { skip: typeof account === 'string' && account }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      const lines = (text: string): string[] => text.trimEnd().split('\n');
      const explain = (...words: readonly string[]): string[] => {
        command('chmod', ['-R', 'u+rwX,go+rX', scratch]);
        return lines(rig.must(['build', '-q', '--explain', ...words, context], { cwd: context }).stderr);
      };
      /** Steps that were run, with their reasons. */
      const missed = (found: readonly string[]): string[] => {
        const shown: string[] = [];
        let isMiss = false;
        for (const line of found) {
          if (/^ +\d+ /.test(line)) isMiss = / ran /.test(line);
          if (isMiss && !line.startsWith('[') && !/^\d+ steps/.test(line)) shown.push(line.trim());
        }
        return shown;
      };

      writeFileSync(path('Dockerfile'), DOCKERFILE);
      writeFileSync(path('.dockerignore'), 'src/ignored\n');
      rmSync(path('src/n'), { force: true });
      for (const file of ['a', 'b', 'ignored']) writeFileSync(path(`src/${file}`), file);
      chmodSync(path('src/a'), 0o644);
      assert.ok(
        explain('--build-arg', 'VERSION=1', '--build-arg', 'UNUSED=1').every((line) => !line.includes(' hit ')),
      );
      const same = ['--build-arg', 'VERSION=1', '--build-arg', 'UNUSED=1'];
      assert.deepEqual(missed(explain(...same)), []);

      // Nothing a step reads.
      utimesSync(path('src/a'), 1, 1);
      writeFileSync(path('src/ignored'), 'other');
      writeFileSync(path('unrelated'), 'new');
      writeFileSync(join(scratch, 'token'), 'value-1');
      assert.deepEqual(missed(explain(...same, '--secret', `id=token,src=${join(scratch, 'token')}`)), []);
      writeFileSync(join(scratch, 'token'), 'value-2');
      const others = ['--build-arg', 'VERSION=1', '--build-arg', 'UNUSED=2', '--build-arg', 'HTTP_PROXY=http://proxy'];
      assert.deepEqual(missed(explain(...others, '--secret', `id=token,src=${join(scratch, 'token')}`)), []);
      rig.run('tag', 'localhost/latest', 'localhost/again');
      writeFileSync(path('Dockerfile'), DOCKERFILE.replaceAll('localhost/latest', 'localhost/again'));
      assert.deepEqual(missed(explain(...same)), []);
      writeFileSync(path('Dockerfile'), DOCKERFILE.replaceAll(' build', ' other').replaceAll('=build', '=other'));
      assert.deepEqual(missed(explain(...same)), []);
      writeFileSync(path('Dockerfile'), DOCKERFILE);

      // What a step reads.
      const run = 'RUN --mount=type=secret,id=token echo "$VERSION" > /version';
      assert.deepEqual(missed(explain('--build-arg', 'VERSION=2', '--build-arg', 'UNUSED=1')).slice(0, 2), [
        `5 ran     ${run}`,
        'build argument VERSION: 1 → 2',
      ]);
      assert.deepEqual(missed(explain(...same, '--cap-add', 'CAP_NET_ADMIN')).slice(0, 2), [
        `5 ran     ${run}`,
        '--cap-add is new: CAP_NET_ADMIN',
      ]);
      chmodSync(path('src/a'), 0o755);
      writeFileSync(path('src/b'), 'changed');
      writeFileSync(path('src/n'), 'new');
      const expected = ['mode of src/a: 0644 → 0755', 'src/b changed', 'src/n is new'];
      const dry = rig.must(['build', '--dry-run', ...same, context]).stdout;
      for (const line of expected) assert.match(dry, new RegExp(`^ +${line}$`, 'm'));
      assert.match(dry, /nothing was run\n$/);
      const found = missed(explain(...same));
      assert.deepEqual(found.slice(0, 6), [
        '3 ran     COPY src /src',
        ...expected,
        '4 ran     ARG VERSION',
        'step 3 above was run again',
      ]);
      assert.deepEqual(found.slice(6, 8), [`5 ran     ${run}`, 'step 3 above was run again']);
      // The stage was built again; of what is copied from it one file is another.
      assert.ok(
        found.some((line) => /mode of (out\/|src\/)?a: 0644 → 0755/.test(line)),
        found.join('\n'),
      );

      // Afterwards.
      assert.match(rig.must(['why', 'build.3'], { cwd: context }).stdout, /COPY src[\s\S]*src\/b changed/);
      const json = JSON.parse(rig.must(['why', '--context', context, '--format', 'json', '5']).stdout);
      assert.equal(json.stages[0].steps[0].causes[0]?.kind, 'above', JSON.stringify(json));
      assert.match(rig.try(['why', '--context', scratch]).stderr, /no build of .* is remembered/);

      // Reuse by age, and none.
      assert.ok(missed(explain(...same, '--cache-ttl', '0')).some((line) => /switched off/.test(line)));
      assert.deepEqual(missed(explain(...same, '--cache-ttl', '24h')), []);
      assert.ok(
        missed(explain(...same, '--cache-ttl', '1ms')).some((line) => /more than --cache-ttl allows/.test(line)),
      );
      rig.run('prune');
      const forgotten = missed(explain(...same));
      assert.ok(
        forgotten.some((line) => /no longer remembered/.test(line)),
        forgotten.join('\n'),
      );
      const grep = `grep -rlE 'value-[12]' ${join(rig.folder, 'root')} || true`;
      assert.equal(rig.command('/bin/sh', ['-c', grep]), '');
    });
  }
});
