/** Lock files and source policies of real builds, against a registry, a web server and a git server. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';
import { WebFolder } from '../support/web-folder.ts';

interface LockText {
  readonly schemaVersion: number;
  readonly images: readonly { reference: string; platform: string; name: string; digest: string }[];
  readonly http: readonly { url: string; digest: string }[];
  readonly git: readonly { url: string; commit: string }[];
}

describe('inputs of a build', { skip: missingPrograms('docker-registry', 'git') }, () => {
  let registry: RegistryServer;
  let web: WebFolder;
  let publisher: Rig;
  before(async () => {
    registry = await RegistryServer.start();
    web = await WebFolder.start();
    const account = accounts().find(({ account }) => typeof account !== 'string')!.account;
    assert.ok(typeof account !== 'string');
    publisher = await Rig.open({ account });
  });
  after(async () => {
    await publisher[Symbol.asyncDispose]();
    await web[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  /** Puts an image of one file there, for two platforms. Gives the digest of the one for amd64. */
  function publish(name: string, text: string): string {
    const folder = publisher.makeFolder(`work/${name.replaceAll(':', '-')}`);
    writeFileSync(join(folder, 'file'), text);
    writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY file /file\n');
    publisher.give(folder);
    const place = `${registry.host}/${name}`;
    publisher.run('rmi', '--all', '--force');
    const platforms = ['--platform', 'linux/amd64,linux/arm64', '--manifest', 'list'];
    publisher.run('build', '-q', '--timestamp', '0', ...platforms, folder);
    publisher.run('manifest', 'push', '-q', '--tls-verify=false', 'list', `docker://${place}`);
    publisher.run('manifest', 'rm', 'list');
    const list = JSON.parse(publisher.run('image', 'inspect', '--raw', '--tls-verify=false', `docker://${place}`)) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    return list.manifests.find(({ platform }) => platform.architecture === 'amd64')!.digest;
  }

  function context(rig: Rig, dockerfile: string): string {
    const folder = rig.makeFolder('work/context');
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    rig.give(folder);
    return folder;
  }

  const readLock = (path: string): LockText => JSON.parse(readFileSync(path, 'utf8')) as LockText;

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const opened = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      return await Rig.open({ account });
    };
    const always = ['build', '-q', '--layers', '--timestamp', '0', '--tls-verify=false', '--platform', 'linux/amd64'];

    it(`${name}: are locked, and stay what they were when all of them move`, { skip }, async () => {
      const digests = [publish('base:1', 'one'), publish('tool:1', 'tool one'), publish('named:1', 'named one')];
      const file = web.put('file', 'file one\n');
      const commit = web.commit('repo', 'source', 'commit one');
      const text = `FROM ${registry.host}/base:1\nCOPY --from=${registry.host}/tool:1 /file /tool\nCOPY --from=named /file /named\nADD ${file} /\nADD ${web.url}/repo.git#main /src\n`;
      const named = ['--build-context', `named=docker-image://${registry.host}/named:1`];
      await using rig = await opened();
      const folder = context(rig, text);
      const lock = join(folder, 'slipway.lock');
      const locking = [...always, ...named, '--lock', lock, folder];
      const first = rig.run(...locking);
      const written = readFileSync(lock, 'utf8');
      const { schemaVersion, images, http, git } = readLock(lock);
      assert.equal(schemaVersion, 1);
      assert.deepEqual(
        images.map(({ reference, platform, digest }) => [reference, platform, digest]),
        ['base', 'named', 'tool'].map((image, i) => [
          `${registry.host}/${image}:1`,
          'linux/amd64',
          digests[[0, 2, 1][i]!],
        ]),
      );
      assert.deepEqual(
        http.map(({ url }) => url),
        [file],
      );
      assert.deepEqual(git, [{ url: `${web.url}/repo.git#main`, commit }]);
      rig.run(...locking);
      assert.equal(readFileSync(lock, 'utf8'), written);

      publish('base:1', 'two');
      publish('tool:1', 'tool two');
      publish('named:1', 'named two');
      web.commit('repo', 'source', 'commit two');
      await using other = await opened();
      for (const words of [[], ['--no-cache'], ['--pull-always'], ['--lock', lock]]) {
        assert.equal(other.run(...always, ...named, ...words, '--locked', folder), first, words.join(' '));
      }
      const { stdout } = other.must([
        'build',
        '--layers',
        ...always.slice(2),
        ...named,
        '--locked',
        '--dry-run',
        folder,
      ]);
      assert.doesNotMatch(stdout, /would run/);
      assert.equal(readFileSync(lock, 'utf8'), written);

      web.put('file', 'file two\n');
      await using third = await opened();
      const changed = third.try([...always, ...named, '--locked', folder]);
      const { digest } = http[0]!;
      assert.equal(changed.status, 125);
      assert.match(changed.stderr, /\[lock\.mismatch\]/);
      for (const part of [file, digest, 'is sha256:']) assert.ok(changed.stderr.includes(part), changed.stderr);
      assert.equal(third.run('images', '-q', '--no-trunc').includes(first), false);

      const again = rig.run(...always, '--pull-always', ...named, '--lock', lock, folder);
      assert.notEqual(again, first);
      assert.equal(third.run(...always, ...named, '--locked', folder), again);
    });

    it(`${name}: one that is not locked is refused with its place, one too many is named`, { skip }, async () => {
      publish('base:1', 'one');
      await using rig = await opened();
      const file = web.put('file', 'file\n');
      const folder = context(rig, `FROM ${registry.host}/base:1\nADD ${file} /\n`);
      const lock = join(rig.makeFolder('work'), 'inputs.json');
      rig.run(...always, '--lock', lock, folder);
      const refusedAt = (dockerfile: string, words: readonly string[], what: string, place: string): void => {
        const result = rig.try([...always, ...words, '--lock', lock, '--locked', context(rig, dockerfile)]);
        assert.equal(result.status, 125);
        assert.match(result.stderr, /\[lock\.missing\]/);
        assert.ok(result.stderr.includes(`${what} is not in the lock file ${lock}`), result.stderr);
        assert.ok(result.stderr.includes(place), result.stderr);
      };
      const base = `FROM ${registry.host}/base:1\n`;
      refusedAt(
        `FROM ${registry.host}/tool:1\n`,
        [],
        `the image ${registry.host}/tool:1 for linux/amd64`,
        'Dockerfile:1',
      );
      refusedAt(`${base}ADD ${file}2 /\n`, [], `the download ${file}2`, 'Dockerfile:2');
      refusedAt(`${base}ADD ${web.url}/repo.git /\n`, [], `the repository ${web.url}/repo.git`, 'Dockerfile:2');
      refusedAt(
        base,
        ['--platform', 'linux/arm64'],
        `the image ${registry.host}/base:1 for linux/arm64`,
        'Dockerfile:1',
      );
      refusedAt(
        `${base}COPY --from=${registry.host}/tool:1 / /\n`,
        [],
        `the image ${registry.host}/tool:1 for linux/amd64`,
        'Dockerfile:2',
      );
      const stale = rig.must([
        ...always.filter((word) => word !== '-q'),
        '--lock',
        lock,
        '--locked',
        context(rig, base),
      ]);
      assert.ok(stale.stderr.includes(`has entries this build does not need: ${file}`), stale.stderr);
    });

    it(`${name}: several platforms share a lock, which holds without a network`, { skip }, async () => {
      publish('base:1', 'one');
      await using rig = await opened();
      const folder = context(rig, `FROM ${registry.host}/base:1\nCOPY Dockerfile /\n`);
      const lock = join(folder, 'slipway.lock');
      const both = [
        'build',
        '--layers',
        '--timestamp',
        '0',
        '--tls-verify=false',
        '--platform',
        'linux/amd64,linux/arm64',
      ];
      rig.run(...both, '--manifest', 'a', '--lock', lock, folder);
      assert.deepEqual(
        readLock(lock).images.map(({ platform }) => platform),
        ['linux/amd64', 'linux/arm64'],
      );
      publish('base:1', 'two');
      const env = { ...rig.env, http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' };
      rig.must([...both, '--manifest', 'b', '--locked', folder], { env });
      const digests = (list: string): unknown =>
        (JSON.parse(rig.run('manifest', 'inspect', list)) as { manifests: { digest: string }[] }).manifests.map(
          ({ digest }) => digest,
        );
      assert.deepEqual(digests('b'), digests('a'));
    });

    it(`${name}: obey a source policy`, { skip }, async () => {
      publish('allowed:1', 'allowed');
      publish('denied:1', 'denied');
      const file = web.put('file', 'file\n');
      const commit = web.commit('repo', 'source', 'commit one');
      await using rig = await opened();
      const policy = join(rig.makeFolder('work'), 'policy.json');
      const build = (dockerfile: string, ...rules: readonly object[]): ReturnType<Rig['try']> => {
        writeFileSync(policy, JSON.stringify({ version: 1, rules }));
        rig.give(policy);
        return rig.try([...always, '--source-policy-file', policy, context(rig, dockerfile)]);
      };
      const rule = (action: string, identifier: string, updates?: object): object => {
        return { action, selector: { identifier }, ...(updates === undefined ? {} : { updates }) };
      };
      const refusedAt = (line: number, source: string, result: ReturnType<Rig['try']>): void => {
        assert.equal(result.status, 125, result.stderr);
        assert.match(result.stderr, /\[policy\.denied\]/);
        assert.ok(result.stderr.includes(`the source ${source} is denied by rule 1`), result.stderr);
        assert.ok(result.stderr.includes(`Dockerfile:${line}:`), result.stderr);
      };
      const base = `FROM ${registry.host}/allowed:1\n`;
      const image = (tag: string): string => `docker-image://${registry.host}/${tag}`;
      const toolText = `${base}COPY --from=${registry.host}/denied:1 /file /\n`;
      refusedAt(1, image('allowed:1'), build(base, rule('DENY', 'docker-image://*')));
      refusedAt(2, image('denied:1'), build(toolText, rule('DENY', '*denied*')));
      refusedAt(2, file, build(`${base}ADD ${file} /\n`, rule('DENY', 'http://*')));
      const git = `git://${web.url.replace('http://', '')}/repo.git`;
      refusedAt(2, git, build(`${base}ADD ${web.url}/repo.git /\n`, rule('DENY', 'git://*')));
      const local = build(base, rule('DENY', 'local://context'));
      assert.match(local.stderr, /the source local:\/\/context is denied by rule 1/);

      // An id has no name of its own that a rule could fit: the names of the image count.
      const id = rig.run('pull', '-q', '--tls-verify=false', `${registry.host}/denied:1`);
      for (const text of [id, id.slice(0, 12)]) {
        refusedAt(1, image('denied:1'), build(`FROM ${text}\n`, rule('DENY', '*denied*')));
      }
      rig.run('rmi', id);

      // What is denied is read as something else.
      const converted = build(
        `FROM ${registry.host}/denied:1\n`,
        rule('DENY', '*denied*'),
        rule('CONVERT', image('denied:*'), { identifier: image('allowed:${1}') }),
      );
      assert.equal(converted.status, 0, converted.stderr);
      const names = rig.run('images', '-a');
      assert.ok(names.includes(`${registry.host}/allowed`) && !names.includes('/denied'), names);
      const wrong = build(
        `${base}ADD ${file} /\n`,
        rule('CONVERT', file, { attrs: { 'http.checksum': `sha256:${'0'.repeat(64)}` } }),
      );
      assert.match(wrong.stderr, /\[blob\.digest-mismatch\]/);
      web.commit('repo', 'source', 'commit two');
      const pinned = rule('CONVERT', git, { attrs: { 'git.checksum': commit } });
      assert.match(build(`${base}ADD ${web.url}/repo.git /\n`, pinned).stderr, /\[blob\.digest-mismatch\]/);
    });
  }
});
