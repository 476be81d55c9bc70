/** What must miss and what must hit, and what is said of it: `build --explain`, `why`, `--dry-run`, `--cache-ttl`. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BuildExplanation } from '../../src/report/explanation.ts';
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

const STEPS_OF_ALL_KINDS = `FROM localhost/latest AS owners
RUN echo f > /f; chown 5 /f
FROM localhost/latest
COPY --from=owners /f /f
COPY --chown=1:1 src /src
RUN --mount=type=bind,source=bound,target=/b --mount=type=cache,id=kept,target=/c cat /b/f > /made; echo x > /c/x
ENV MODE=one
RUN echo "$MODE" > /mode
ARG UNSEEN=0
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
    command('chmod', ['-R', 'u+rwX,go+rX', scratch]);
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

    it(`is foretold by --dry-run, ${name}`, { skip: typeof account === 'string' && account }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      const folder = rig.makeFolder('work/foretold');
      const write = (file: string, text: string): void => {
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        writeFileSync(join(folder, file), text);
        command('chmod', ['-R', 'u=rwX,go=rX', folder]);
      };
      let dockerfile = STEPS_OF_ALL_KINDS;
      const edit = (from: string, to: string): void => {
        assert.ok(dockerfile.includes(from), from);
        dockerfile = dockerfile.replace(from, to);
        write('Dockerfile', dockerfile);
      };
      const explained = (...words: readonly string[]): BuildExplanation => {
        const { stdout, stderr } = rig.must(['build', '-q', '--explain=json', ...words, folder]);
        const line = (words.includes('--dry-run') ? stdout : stderr).split('\n').find((text) => text.startsWith('{'));
        return JSON.parse(line ?? 'null') as BuildExplanation;
      };
      const remembered = (): string => rig.run('cache', 'ls', '--steps', '--format', 'json') + rig.run('images', '-q');
      /** The steps that were run, as the dry run said, with the causes of the first. */
      const build = (...words: readonly string[]): { ran: string[]; causes: string[]; untold?: string[] } => {
        const before = remembered();
        const foretold = explained('--dry-run', ...words);
        assert.equal(remembered(), before);
        assert.ok(foretold.isDryRun);
        const real = explained(...words);
        const steps = real.stages.flatMap((stage) => stage.steps);
        const said = foretold.stages.flatMap((stage) => stage.steps).map(({ step, outcome }) => [step, outcome]);
        const came = steps.map(({ step, outcome }, i) => {
          const isUntold = said[i]?.[1] === 'unknown';
          return [step, isUntold ? 'unknown' : outcome === 'ran' ? 'miss' : outcome];
        });
        assert.deepEqual(said, came);
        const untold = said.flatMap(([step, outcome]) => (outcome === 'unknown' ? [step] : []));
        const ran = steps.filter(({ outcome }) => outcome === 'ran');
        return {
          ran: ran.map(({ step }) => step),
          causes: (ran[0]?.causes ?? []).map(({ text }) => text),
          ...(untold.length === 0 ? {} : { untold: untold as string[] }),
        };
      };

      write('Dockerfile', dockerfile);
      write('src/a', 'a');
      write('bound/f', 'f');
      write('moved', 'FROM localhost/latest\nRUN echo moved > /moved\n');
      const all = ['0.2', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7'];
      const behind = all.slice(1);
      assert.deepEqual(build(), { ran: all, causes: ['no earlier run of this step is known here'], untold: behind });
      assert.deepEqual(build(), { ran: [], causes: [] });

      edit('MODE=one', 'MODE=two');
      assert.deepEqual(build(), {
        ran: ['1.5', '1.6', '1.7'],
        causes: ['instruction changed: ENV MODE=one → ENV MODE=two'],
      });
      assert.deepEqual(
        explained('--dry-run', '--build-arg', 'UNSEEN=1').stages.flatMap(({ steps }) => steps.map((s) => s.outcome)),
        all.map(() => 'hit'),
      );
      edit('--chown=1:1', '--chown=2:2');
      assert.deepEqual(build().ran, ['1.3', '1.4', '1.5', '1.6', '1.7']);
      edit('chown 5 /f', 'chown 6 /f');
      const owner = build();
      assert.deepEqual([owner.ran, owner.untold], [all, behind]);
      assert.deepEqual(owner.causes, ['command changed: echo f > /f; chown 5 /f → echo f > /f; chown 6 /f']);
      // Run again, and nothing is read of it that is not as before.
      edit('chown 6 /f', 'chown 6 /f; echo > /unread');
      assert.deepEqual([build().ran, build().ran], [['0.2'], []]);
      write('bound/f', 'other');
      assert.deepEqual(build(), { ran: ['1.4', '1.5', '1.6', '1.7'], causes: ['bound/f changed'] });
      // What a cache mount holds is nothing a step can rely on.
      const tar = join(rig.folder, 'work/cache.tar');
      rig.command('tar', ['-C', folder, '-cf', tar, 'src']);
      rig.run('cache', 'import', 'kept', tar);
      assert.deepEqual(build().ran, []);
      rig.run('build', '-q', '--no-cache', '-t', 'localhost/latest', '-f', join(folder, 'moved'), folder);
      const moved = build();
      assert.deepEqual(moved.ran, all);
      assert.match(moved.causes.join(), /^base image localhost\/latest(:latest)? moved: sha256:[0-9a-f]{12} → sha256:/);
      assert.deepEqual(build('--no-cache'), { ran: all, causes: ['reuse of earlier steps is switched off'] });
      assert.deepEqual(build().ran, []);
    });
  }
});
