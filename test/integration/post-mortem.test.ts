/** `--keep-failed` and `--debug-shell` on builds that fail, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { quote, Rig } from '../support/rig.ts';

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

const FAILING = `FROM localhost/latest
ENV COLOR=blue
RUN mkdir /srv && echo first > /srv/made
WORKDIR /srv
USER ada
RUN echo half > /tmp/half && rm -f /root/none; exit 7
RUN never
`;

/** The second stage fails while the shell of the first is open. */
const TWICE = `FROM localhost/latest AS first
RUN exit 7
FROM localhost/latest AS second
RUN sleep 1 && exit 9
FROM localhost/latest
COPY --from=first /tmp /first
COPY --from=second /tmp /second
`;

interface Session {
  readonly code: number | null;
  readonly shown: string;
}

/** A command on a terminal of its own; `typed` is typed when `prompt` has been shown. */
async function onTerminal(rig: Rig, words: readonly string[], prompt: string, typed: string): Promise<Session> {
  const line = [rig.program, ...rig.storeFlags, ...words].map(quote).join(' ');
  const { uid, gid } = rig.account;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    ...{ uid, gid, env: { ...rig.env, TERM: 'xterm' }, cwd: join(rig.folder, 'work') },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  for (let i = 0; i < 300 && !shown.includes(prompt) && child.exitCode === null; i++) await pause(100);
  // The shell asks the terminal things when it begins; what is typed before that would be echoed only.
  await pause(500);
  child.stdin.write(typed);
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const code = await ended;
  clearTimeout(timer);
  return { code, shown };
}

describe('a step that failed', { skip }, () => {
  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      const context = (dockerfile: string, folder = 'context'): string => {
        const path = join(rig.folder, 'work', folder);
        mkdirSync(path, { recursive: true });
        writeFileSync(join(path, 'Dockerfile'), dockerfile);
        writeFileSync(join(path, 'note'), 'from the context\n');
        return rig.give(path);
      };

      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        makeBusyboxBase(join(rig.folder, 'base'));
        rig.give(join(rig.folder, 'base'));
        rig.run('pull', '-q', `oci:${join(rig.folder, 'base')}:latest`);
      });
      after(() => rig?.[Symbol.asyncDispose]());

      for (const flags of [[], ['--layers']]) {
        it(`is kept as a working container ${flags.join(' ')}`, () => {
          const failed = rig.try(['build', ...flags, '--keep-failed', context(FAILING)]);
          assert.equal(failed.status, 7);
          const enter = /^help: enter its root filesystem with: (slipway .* run (\S+) -- sh)$/m.exec(failed.stderr);
          assert.ok(enter !== null, failed.stderr);
          const [, line, container] = enter;
          assert.equal(rig.run('containers', '--format', '{{.ContainerName}}'), container);

          // The very line, typed into a shell.
          const path = `${join(rig.installation.folder, 'bin')}:${rig.env['PATH']}`;
          const typed = `${line} -c 'echo $COLOR; pwd; id -u; cat made /tmp/half'`;
          const said = rig.command('/bin/sh', ['-c', typed], { env: { ...rig.env, PATH: path } });
          assert.equal(said, 'blue\n/srv\n1000\nfirst\nhalf\n');

          const image = rig.run('commit', '-q', container!);
          const created = JSON.parse(rig.run('inspect', '-f', '{{json .History}}', image)) as {
            empty_layer?: boolean;
          }[];
          assert.equal(created.at(-1)!.empty_layer, undefined);
          rig.run('rm', container!);
          assert.equal(rig.run('containers', '-q'), '');
        });
      }

      it('goes when nobody asked for it, and when nothing failed', () => {
        assert.equal(rig.try(['build', context(FAILING)]).status, 7);
        rig.run('build', '-q', '--keep-failed', context('FROM localhost/latest\nRUN true\n', 'fine'));
        assert.equal(rig.run('containers', '-q'), '');
      });

      it('is kept when a copy fails on top of what ran before', () => {
        const failed = rig.try([
          'build',
          '--keep-failed',
          context('FROM localhost/latest\nRUN echo x > /x\nCOPY gone /\n', 'copy'),
        ]);
        assert.equal(failed.status, 125);
        const container = rig.run('containers', '--format', '{{.ContainerName}}');
        assert.equal(rig.run('run', container, '--', 'cat', '/x'), 'x');
        rig.run('rm', container);
      });

      it('is told in the error that programs read', () => {
        const failed = rig.try(['build', '--progress=json', '--keep-failed', context(FAILING)]);
        const last = JSON.parse(failed.stderr.trim().split('\n').at(-1)!) as { facts: Record<string, unknown> };
        assert.equal(last.facts['container'], 'latest-failed');
        rig.run('rm', 'latest-failed');
      });

      it('refuses what cannot be, before anything is built', () => {
        const contrary = rig.try(['build', '--layers', '--keep-failed', '--force-rm', context(FAILING)]);
        assert.match(contrary.stderr, /--keep-failed and --force-rm contradict each other/);
        const noTerminal = rig.try(['build', '--debug-shell', context(FAILING)]);
        assert.match(noTerminal.stderr, /--debug-shell needs a terminal, and standard input is none/);
        for (const { status, stdout } of [contrary, noTerminal]) assert.deepEqual([status, stdout], [125, '']);
      });

      const noScript = firstReason(missingPrograms('script'));

      for (const progress of ['tty', 'plain']) {
        it(`is looked at in a shell, below the ${progress} display`, { skip: noScript }, async () => {
          const dockerfile = FAILING.replace(
            'RUN echo half',
            'RUN --mount=type=bind,source=note,target=/note --mount=type=tmpfs,target=/scratch echo half',
          );
          const { code, shown } = await onTerminal(
            rig,
            ['build', `--progress=${progress}`, '--debug-shell', '--keep-failed', context(dockerfile, 'shell')],
            'the build fails when it ends',
            'echo "<$COLOR:$(pwd):$(id -u)>"; cat /note /tmp/half; [ -t 0 ] && echo is-a-"tty"; echo more >> /tmp/half; exit 3\n',
          );
          assert.equal(code, 7, shown);
          for (const seen of [
            '<blue:/srv:1000>',
            'from the context',
            'half',
            'is-a-tty',
            "exit status 7: /bin/sh -c 'echo half",
          ]) {
            assert.ok(shown.includes(seen), `${seen} in\n${shown}`);
          }
          assert.ok(shown.indexOf('<blue') < shown.lastIndexOf('Error:'), 'the error comes after the shell');
          const container = rig.run('containers', '--format', '{{.ContainerName}}');
          assert.equal(rig.run('run', container, '--', 'cat', '/tmp/half'), 'half\nmore');
          rig.run('rm', container);
        });
      }

      it('is the one the shell belongs to, whatever else fails meanwhile', { skip: noScript }, async () => {
        const { code, shown } = await onTerminal(
          rig,
          ['build', '--debug-shell', context(TWICE, 'twice')],
          'the build fails when it ends',
          'sleep 2; echo still-"here"; exit\n',
        );
        assert.equal(code, 7, shown);
        assert.ok(shown.includes('still-here'));
      });

      it('says that there is no shell, and fails as it would have', { skip: noScript }, async () => {
        const { code, shown } = await onTerminal(
          rig,
          [
            'build',
            '--debug-shell',
            context('FROM localhost/latest\nSHELL ["/bin/nosuch", "-c"]\nRUN ["false"]\n', 'no-shell'),
          ],
          'Error:',
          '',
        );
        assert.equal(code, 1, shown);
        assert.match(shown, /the shell cannot be opened: /);
      });
    });
  }
});
