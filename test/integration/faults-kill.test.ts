/**
 * `kill -9` at chosen moments, made exact: at the nth rename, fsync or unlink of a command, or at the nth request a
 * registry sees. Whatever the moment, a name stands for a whole image or does not exist, and the next command works.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestOf, hexOf } from '../../src/spec/digest.ts';
import { isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms, tryCommand } from '../support/command.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { Rig } from '../support/rig.ts';
import { sampleImage, tinyTar } from '../support/sample-image.ts';

const skip = firstReason(
  !isRoot && 'needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('strace'),
);

describe('kill -9 at chosen moments', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-kill-'));
  const context = join(scratch, 'context');
  let rig: Rig;
  before(async () => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM localhost/latest\nCOPY file /file\nRUN rm /file; echo x >/x\n');
    writeFileSync(join(context, 'file'), 'x'.repeat(100_000));
    rig = await Rig.open({ account: rootAccount()! });
    rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Runs a command that is killed at its nth call of that kind; false when it came to its end before. */
  const killedAt = (calls: string, nth: number, words: readonly string[]): boolean => {
    const tracing = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`];
    const kill = ['-e', `inject=${calls}:signal=KILL:when=${nth}`];
    const all = [...tracing, ...kill, rig.program, ...rig.storeFlags, ...words];
    const done = tryCommand('strace', all, { env: rig.env, cwd: rig.folder, timeoutMs: 60_000 });
    if (done.signal === undefined && done.status !== 137) assert.equal(done.status, 0, done.stderr);
    return done.status !== 0;
  };
  const RENAMES = 'rename,renameat,renameat2';

  /** Blobs that are not what their names say. */
  const wrongBlobs = (): string[] => {
    const folder = join(rig.folder, 'root/v1/blobs/sha256');
    return readdirSync(folder).filter((name) => hexOf(digestOf(readFileSync(join(folder, name)))) !== name);
  };
  const isWhole = (image: string): void => {
    const copied = join(rig.folder, 'work', 'copied');
    rig.run('push', '-q', image, `dir:${copied}`);
    rmSync(copied, { recursive: true });
  };

  for (const [what, words] of [
    ['F01 build', ['build', '-q', '--no-cache', '--layers', '-t', 'localhost/made', context]],
    ['F03 commit', ['commit', '-q', 'box', 'localhost/made']],
  ] as const) {
    it(`${what} killed at a rename or fsync: the name is of a whole image, or is not there`, () => {
      rig.try(['from', '--name', 'box', 'localhost/latest']);
      rig.run('run', 'box', 'sh', '-c', 'echo changed >/changed');
      const work = rig.mountedTree('box');
      let killed = 0;
      for (const [calls, moments] of [
        [RENAMES, [1, 2, 4]],
        ['fsync,fdatasync', [1]],
      ] as const) {
        for (const nth of moments) {
          if (killedAt(calls, nth, words)) killed += 1;
          const names = rig.run('images', '-a', '--format', '{{.Name}}:{{.Tag}}').split('\n');
          assert.ok(names.includes('localhost/latest:latest'), `${calls} ${nth}`);
          if (names.includes('localhost/made:latest')) isWhole('localhost/made');
          assert.deepEqual(wrongBlobs(), []);
          // What a commit was about to take is still the container's.
          if (words[0] === 'commit') assert.deepEqual(rig.mountedTree('box'), work);
        }
      }
      assert.ok(killed >= 3, 'it was hardly ever killed');
      rig.run(...words);
      isWhole('localhost/made');
      isWhole('localhost/latest');
      rig.run('rmi', 'localhost/made');
      rig.try(['rm', 'box']);
    });
  }

  it('F05 removing content killed at an unlink or rmdir: what is left is whole, and the rest goes the next time', () => {
    for (const nth of [1, 3, 6]) {
      rig.run('build', '-q', '--no-cache', '-t', 'localhost/doomed', context);
      assert.ok(killedAt('unlink,unlinkat,rmdir', nth, ['rmi', 'localhost/doomed']), `${nth}: it ended`);
      isWhole('localhost/latest');
      assert.deepEqual(wrongBlobs(), []);
      rig.try(['rmi', 'localhost/doomed']);
      rig.run('prune', '-f');
      assert.deepEqual(rig.run('images', '-a', '--format', '{{.Name}}').split('\n'), ['localhost/latest']);
    }
    rig.run('build', '-q', '--no-cache', context);
  });

  /** Kills the command when the registry sees its nth request, half an answer given; gives how many requests came. */
  const killedAtRequest = async (
    registry: FakeRegistry,
    nth: number,
    words: readonly string[],
    signal: NodeJS.Signals,
  ) => {
    const child = rig.start(words);
    const ended = once(child, 'exit');
    let seen = 0;
    registry.intercept = (_seen, response) => {
      seen += 1;
      if (seen !== nth) return false;
      response.writeHead(200, { 'content-length': 1000 }).write('half');
      // To all of its processes, as a container runtime or an OOM killer would.
      process.kill(signal === 'SIGKILL' ? -child.pid! : child.pid!, signal);
      return true;
    };
    const [code, by] = (await ended) as [number | null, NodeJS.Signals | null];
    registry.intercept = undefined;
    return { code, by, wasKilled: seen >= nth };
  };

  /** The registry is in this process, which must not wait for the command. */
  const pulled = async (words: readonly string[]): Promise<void> => {
    const [code] = (await once(rig.start(words), 'exit')) as [number | null];
    assert.equal(code, 0);
  };

  it('F02 F07 pull killed or stopped at each of its requests: the next pull works', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage({ tars: [tinyTar('a'), tinyTar('b')] });
    for (const content of image.blobs.values()) registry.addBlob(content);
    registry.addManifest('team/app', 'x', image.raw);
    const words = ['pull', '-q', '--tls-verify=false', `docker://${registry.host}/team/app:x`];
    let killed = 0;
    for (const [nth, signal] of [
      [2, 'SIGKILL'],
      [3, 'SIGKILL'],
      [4, 'SIGINT'],
      [5, 'SIGKILL'],
    ] as const) {
      const { code, by, wasKilled } = await killedAtRequest(registry, nth, words, signal);
      if (wasKilled) killed += 1;
      if (wasKilled && signal === 'SIGINT') assert.equal(code, 130);
      if (wasKilled && signal === 'SIGKILL') assert.equal(by, 'SIGKILL');
      assert.deepEqual(wrongBlobs(), []);
      await pulled(words);
      isWhole(`${registry.host}/team/app:x`);
      rig.run('rmi', `${registry.host}/team/app:x`);
    }
    assert.ok(killed >= 3, 'it was hardly ever killed');
  });

  it('F04 push killed at each of its requests: no manifest stands there without its blobs', async () => {
    await using registry = await FakeRegistry.start();
    const words = ['push', '-q', '--tls-verify=false', 'localhost/latest', `docker://${registry.host}/team/app:x`];
    for (let nth = 2; ; nth++) {
      const { wasKilled } = await killedAtRequest(registry, nth, words, 'SIGKILL');
      for (const { content } of registry.manifests.values()) {
        const { config, layers } = JSON.parse(content.toString());
        for (const { digest } of [config, ...layers])
          assert.ok(registry.blobs.has(digest), `request ${nth}: ${digest}`);
      }
      if (!wasKilled || nth > 12) break;
      assert.equal(registry.manifests.size, 0);
    }
    assert.ok(registry.manifests.size > 0);
  });

  it('F06 a repair killed at a rename or unlink: the next one ends what it began', () => {
    const folder = join(rig.folder, 'root/v1/blobs/sha256');
    let killed = 0;
    const repair = ['system', 'check', '--read-data', '--repair', '-q'];
    for (const [calls, nth] of [
      [RENAMES, 1],
      ['unlink,unlinkat,rmdir', 1],
      ['unlink,unlinkat,rmdir', 2],
    ] as const) {
      const largest = readdirSync(folder).reduce((a, b) =>
        statSync(join(folder, a)).size > statSync(join(folder, b)).size ? a : b,
      );
      const content = readFileSync(join(folder, largest));
      content[content.length >> 1]! ^= 1;
      writeFileSync(join(folder, largest), content);
      const tracing = [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        `trace=${calls}`,
        '-e',
        `inject=${calls}:signal=KILL:when=${nth}`,
      ];
      const o = { env: rig.env, cwd: rig.folder, timeoutMs: 60_000 };
      const first = tryCommand('strace', [...tracing, rig.program, ...rig.storeFlags, ...repair], o);
      if (first.signal !== undefined || first.status === 137) killed += 1;
      rig.try(repair);
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      const checked = rig.try(['system', 'check', '--read-data']);
      assert.equal(checked.status, 0, checked.stdout + checked.stderr);
      isWhole('localhost/latest');
    }
    assert.ok(killed > 0, 'it was never killed');
  });

  it('F17 the order of writes: blobs are flushed before they get a name, and before the table of images does', () => {
    const log = join(rig.folder, 'work/log');
    const calls = `${RENAMES},fsync,fdatasync,syncfs`;
    const words = ['build', '-q', '--no-cache', '--layers', '-t', 'localhost/logged', context];
    const all = ['-f', '-y', '-s', '4096', '-o', log, '-e', `trace=${calls}`, rig.program, ...rig.storeFlags, ...words];
    command('strace', all, { env: rig.env, cwd: rig.folder });
    assert.deepEqual(brokenOrder(readFileSync(log, 'utf8'), join(rig.folder, 'root/v1')), []);
  });
});

/** Renames of a log of calls after which a power loss could show a name without its content. */
function brokenOrder(log: string, base: string): string[] {
  const flushed = new Set<string>();
  /** Blobs renamed since their directory was flushed. */
  let unsafe: string[] = [];
  const broken: string[] = [];
  let named = 0;
  for (const line of log.split('\n')) {
    const sync = /(?:fsync|fdatasync)\(\d+<([^>]*)>/.exec(line);
    if (sync !== null) {
      flushed.add(sync[1]!);
      if (sync[1] === `${base}/blobs/sha256`) unsafe = [];
    }
    if (/syncfs\(/.test(line)) unsafe = [];
    const rename = /rename[^(]*\((?:AT_FDCWD[^,]*, )?"([^"]*)", (?:AT_FDCWD[^,]*, )?"([^"]*)"/.exec(line);
    if (rename === null || !rename[2]!.startsWith(base)) continue;
    const [, from, to] = rename as unknown as [string, string, string];
    if (to.startsWith(`${base}/blobs/`)) {
      if (!flushed.has(from)) broken.push(`not flushed: ${to}`);
      unsafe.push(to);
    }
    if (to !== `${base}/images.json`) continue;
    named += 1;
    if (!flushed.has(from)) broken.push('the table was not flushed');
    if (unsafe.length > 0) broken.push(`the directory was not flushed after ${unsafe.join(', ')}`);
  }
  return named === 0 ? ['the table was never written'] : broken;
}
