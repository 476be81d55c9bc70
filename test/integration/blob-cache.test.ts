/** `--blob-cache`: a directory of blobs that outlives the stores, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

interface Entry {
  readonly digest: string;
}

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function layersOf(layout: string): readonly string[] {
  const read = (digest: string) => JSON.parse(readFileSync(blobOf(layout, digest), 'utf8'));
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Entry[] };
  return (read(manifests[0]!.digest) as { layers: Entry[] }).layers.map(({ digest }) => digest);
}

function blobOf(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

describe('a cache of blobs', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-blob-cache-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const isSkipped = typeof account === 'string' && account;
    const open = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      return await Rig.open({ account });
    };

    it(`has what a place no longer has, and is mended by one that has it, ${name}`, { skip: isSkipped }, async () => {
      await using rig = await open();
      const layout = join(rig.folder, 'work/layout');
      const cache = join(rig.folder, 'work/caches/blobs');
      command('cp', ['-r', join(scratch, 'busybox'), layout]);
      rig.give(layout);
      const from = `oci:${layout}:latest`;
      const [layer] = layersOf(layout);
      const id = rig.run('pull', '-q', '--blob-cache', cache, from);
      assert.ok(readdirSync(cache).includes(layer!));
      const whole = readFileSync(blobOf(layout, layer!));
      assert.deepEqual(readFileSync(join(cache, layer!)), whole);

      rmSync(blobOf(layout, layer!));
      rig.run('rmi', '--all', '--force');
      assert.match(rig.try(['pull', '-q', from]).stderr, /is missing/);
      assert.equal(rig.run('pull', '-q', '--blob-cache', cache, from), id);
      rig.run('rmi', '--all', '--force');
      rig.run('from', '--blob-cache', cache, '--name', 'work', from);
      rig.run('run', 'work', 'true');
      rig.run('from', '--name', 'other', 'scratch');
      rig.run('rm', 'work');
      rig.run('rmi', '--all', '--force');
      rig.run('copy', '--blob-cache', cache, '--from', from, 'other', '/bin', '/bin');
      rig.run('rmi', '--all', '--force');

      // Not what it says it is: fetched again, or refused.
      writeFileSync(join(cache, layer!), whole.subarray().fill(0, 100, 200));
      assert.match(rig.try(['pull', '-q', '--blob-cache', cache, from]).stderr, /is missing/);
      command('cp', [blobOf(join(scratch, 'busybox'), layer!), blobOf(layout, layer!)]);
      rig.give(layout);
      assert.equal(rig.run('pull', '-q', '--blob-cache', cache, from), id);
      assert.equal(sha256(readFileSync(join(cache, layer!))), layer);
      assert.deepEqual(
        readdirSync(cache).filter((file) => file.startsWith('.')),
        [],
      );
    });

    it(`has compressed layers of another store, if they are what they say, ${name}`, {
      skip: isSkipped,
    }, async () => {
      await using rig = await open();
      const context = rig.makeFolder('context');
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY text /\n');
      writeFileSync(join(context, 'text'), 'one line\n'.repeat(10_000));
      rig.give(context);
      const cache = join(rig.folder, 'work/cache');
      const pushed = (layout: string): string => {
        rig.run('build', '-q', '--timestamp', '0', '-t', 'app', context);
        rig.run('push', '-q', '--blob-cache', cache, 'app', `oci:${join(rig.folder, 'work', layout)}:x`);
        rig.run('rmi', '--all', '--force');
        return layersOf(join(rig.folder, 'work', layout))[0]!;
      };
      const digest = pushed('first');
      const tar = gunzipSync(readFileSync(join(cache, digest)));
      const note = join(cache, `${sha256(tar)}.compressed`);
      assert.equal(readFileSync(note, 'utf8'), digest);
      const put = (bytes: Buffer): string => {
        writeFileSync(join(cache, sha256(bytes)), bytes);
        writeFileSync(note, sha256(bytes));
        rig.give(cache);
        return sha256(bytes);
      };
      const other = put(gzipSync(tar, { level: 1 }));
      assert.notEqual(other, digest);
      assert.equal(pushed('second'), other);
      put(gzipSync(Buffer.concat([tar, Buffer.alloc(512)])));
      assert.equal(pushed('third'), digest);
      put(Buffer.from('no archive'));
      assert.equal(pushed('fourth'), digest);
    });

    it(`that cannot be written holds nothing up, ${name}`, { skip: isSkipped }, async () => {
      await using rig = await open();
      const layout = `oci:${join(scratch, 'busybox')}:latest`;
      const refused = rig.try(['pull', '-q', '--blob-cache', '/proc/version', layout]);
      assert.equal(refused.status, 125);
      assert.match(refused.stderr, /cannot use the blob cache \/proc\/version/);
      const context = rig.makeFolder('context');
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
      const words = ['--layers', '--blob-cache', '/proc/version', '-t', 'app', context];
      assert.match(rig.try(['build', ...words]).stderr, /^Error: cannot use the blob cache/m);
      assert.equal(rig.run('images', '-q'), '');
      const told = rig.try(['pull', '-q', '--blob-cache', '/proc/self/task', layout]);
      assert.equal(told.status, 0, told.stderr);
      assert.match(told.stderr, /cannot keep blobs in \/proc\/self\/task/);
    });

    it(`is read and filled by builds, ${name}`, {
      skip: firstReason(isSkipped, missingPrograms('docker-registry', 'skopeo')),
    }, async () => {
      await using rig = await open();
      await using registry = await RegistryServer.start();
      const place = `${registry.host}/base:1`;
      const plain = ['--dest-tls-verify=false', `docker://${place}`];
      command('skopeo', ['copy', '-q', `oci:${join(scratch, 'busybox')}:latest`, ...plain]);
      const cache = join(rig.folder, 'work/cache');
      const context = rig.makeFolder('context');
      writeFileSync(join(context, 'Dockerfile'), `FROM ${place}\nRUN echo made >/made\n`);
      rig.give(context);
      const flags = ['-q', '--tls-verify=false', '--blob-cache', cache];
      const target = `docker://${registry.host}/app:1`;
      rig.run('build', ...flags, '-t', target, context);
      const kept = readdirSync(cache);
      const [base] = layersOf(join(scratch, 'busybox'));
      assert.ok(kept.includes(base!));
      // The layer of the step, and a note on it.
      assert.equal(kept.filter((file) => file.endsWith('.compressed')).length, 1);
      rig.run('commit', ...flags, rig.run('from', ...flags.slice(1), place), target);
    });
  }
});
