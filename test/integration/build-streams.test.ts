/** Standard input, split logs and resource usage of builds. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const USAGE = /^\S+\(system\) \S+\(user\) \S+\(elapsed\) \S+ input \S+ output$/;

/** A person at a terminal: answers when the question is there. */
const ANSWER = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
seen, answered = b"", False
while True:
    try: chunk = os.read(fd, 4096)
    except OSError: break
    if not chunk: break
    seen += chunk
    if b"colour? " in seen and not answered:
        answered = True
        os.write(fd, b"blue\\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

describe('streams of a build', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-build-streams-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    const read = (stage: string, n: number) => `RUN busybox sh -c 'read -r x && echo ${stage}${n} got "<$x>"'\n`;
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM localhost/latest AS a\n${read('a', 1)}${read('a', 2)}RUN touch /done\nFROM localhost/latest\n${read('b', 1)}COPY --from=a /done /\n`,
    );
    writeFileSync(join(context, 'once'), `FROM localhost/latest\n${read('a', 1)}`);
    writeFileSync(join(context, 'many'), 'FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY many /\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const open = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      const rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      return rig;
    };
    const got = (text: string): string[] => text.match(/^[ab]\d got <.*>$/gm) ?? [];

    const LINES = 'one\ntwo\nthree\nrest\n';
    it(`--stdin: steps read one after another what the program is given, ${name}`, { skip }, async () => {
      await using rig = await open();
      const build = (...flags: readonly string[]) =>
        rig.try(['build', '--isolation', 'chroot', ...flags, context], { input: LINES });
      assert.notEqual(build().status, 0, 'without the flag there is nothing to read');
      const given = build('--stdin');
      assert.equal(given.status, 0, given.stderr);
      assert.deepEqual(got(given.stdout), ['a1 got <one>', 'a2 got <two>', 'b1 got <three>']);
    });

    it(`--stdin reaches a step behind an OCI runtime, ${name}`, { skip }, async (t) => {
      await using rig = await open();
      const build = (...flags: readonly string[]) =>
        rig.try(['build', '--isolation', 'oci', ...flags, '-f', join(context, 'once'), context], { input: LINES });
      const plain = build();
      if (/does not work here/.test(plain.stderr)) return t.skip(plain.stderr);
      assert.notEqual(plain.status, 0);
      const given = build('--stdin');
      assert.equal(given.status, 0, given.stderr);
      assert.deepEqual(got(given.stdout), ['a1 got <one>']);
    });

    it(`--stdin on a terminal: a question is seen before it is answered, ${name}`, {
      skip: skip || missingPrograms('python3'),
    }, async () => {
      await using rig = await open();
      const file = join(rig.makeFolder('questions'), 'Dockerfile');
      const ask = 'RUN printf "col%s? " our && read -r x && echo "it is <$x>"';
      writeFileSync(file, `FROM localhost/latest\n${ask}\n`, { mode: 0o644 });
      rig.give(file);
      const words = [rig.program, ...rig.storeFlags, 'build', '--stdin', '-f', file, context];
      const seen = rig.command('python3', ['-c', ANSWER, ...words]);
      assert.match(seen, /^colour\? blue\r?\nit is <blue>\r?$/m);
    });

    it(`--stdin: a RUN is never answered from the cache, nor remembered, ${name}`, { skip }, async () => {
      await using rig = await open();
      const file = join(rig.makeFolder('files'), 'Dockerfile');
      const echo = `busybox sh -c 'read -r x || true; echo "$x" >/x; echo b1 got "<$x>"'`;
      writeFileSync(file, `FROM localhost/latest\nRUN ${echo}\nCOPY many /\n`, { mode: 0o644 });
      rig.give(file);
      const build = (input: string, ...flags: readonly string[]) =>
        rig.must(['build', '--layers', ...flags, '-f', file, context], { input });
      build('');
      assert.deepEqual(got(build('first\n', '--stdin').stdout), ['b1 got <first>']);
      const second = build('second\n', '--stdin', '--explain');
      assert.deepEqual(got(second.stdout), ['b1 got <second>']);
      assert.match(second.stderr, /it has standard input/);
      // What was remembered is what a step without input comes to.
      const without = build('');
      assert.equal(without.stdout.match(/Using cache/g)?.length, 2);
      const dry = build('', '--dry-run', '--stdin');
      assert.match(dry.stdout, /it has standard input/);
    });

    it(`--stdin is refused where the build reads it itself, ${name}`, { skip }, async () => {
      await using rig = await open();
      for (const words of [['-f', '-', context], ['-'], ['-f', '/dev/stdin', context]]) {
        const { status, stderr } = rig.try(['build', '--stdin', ...words], { input: 'FROM scratch\n' });
        assert.equal(status, 125);
        assert.match(
          stderr,
          /--stdin cannot give RUN the standard input from which the (Containerfile|context) is read/,
        );
      }
    });

    it(`--logsplit: each platform has a log, ${name}`, { skip }, async () => {
      await using rig = await open();
      const log = join(rig.makeFolder('logs'), 'log');
      const platforms = ['--platform', 'linux/amd64,linux/arm64'];
      const many = [...platforms, '--manifest', 'many', '-f', join(context, 'many'), context];
      assert.match(rig.try(['build', '--logsplit', ...many]).stderr, /cannot use --logsplit without --logfile/);
      const { stdout, stderr } = rig.must(['build', '--logfile', log, '--logsplit', ...many]);
      assert.deepEqual([stdout, stderr], ['', '']);
      for (const [arch, other] of [
        ['amd64', 'arm64'],
        ['arm64', 'amd64'],
      ]) {
        const text = readFileSync(`${log}_linux_${arch}`, 'utf8');
        assert.match(text, new RegExp(`^\\[linux/${arch}\\] STEP 1/4: FROM scratch$`, 'm'));
        assert.doesNotMatch(text, new RegExp(`linux/${other}`));
      }
      assert.match(readFileSync(log, 'utf8'), /^[0-9a-f]{64}\n$/);
    });

    it(`--log-rusage: a line after each step, or in a file of its own, ${name}`, { skip }, async () => {
      await using rig = await open();
      const lines = (text: string): string[] => text.split('\n').filter((line) => USAGE.test(line));
      const build = (...flags: readonly string[]) => rig.try(['build', ...flags, '-f', join(context, 'many'), context]);
      assert.equal(lines(build().stdout).length, 0);
      assert.equal(lines(build('--log-rusage').stdout).length, 3);
      const file = join(rig.makeFolder('usage'), 'usage');
      assert.equal(lines(build('--log-rusage', '--rusage-logfile', file).stdout).length, 0);
      const written = readFileSync(file, 'utf8');
      assert.equal(lines(written).length, 3);
      assert.equal(written.split('\n').length, 4);
      const alone = build('--rusage-logfile', join(rig.folder, 'tmp/none'));
      assert.match(alone.stderr, /cannot use --rusage-logfile without --log-rusage/);
      assert.ok(!existsSync(join(rig.folder, 'tmp/none')));
    });
  }
});
