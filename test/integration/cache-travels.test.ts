/** `--cache-to` and `--cache-from`: what one machine built another does not build again, and forged caches give nothing. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, findProgram, firstReason } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

const DOCKERFILE = `FROM localhost/latest AS tools
RUN echo tool > /tool
FROM localhost/latest
ENV A=1
COPY --from=tools /tool /tool
RUN cat /tool > /made; echo "once" > /stamp
WORKDIR /work
CMD ["sh"]
`;
const STEPS = 6;

describe('a cache that travels', {
  skip: firstReason(
    staticBusybox() === undefined && 'not installed: a static busybox',
    findProgram('docker-registry') === undefined && 'not installed: docker-registry',
  ),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-cache-travels-'));
  const context = join(scratch, 'context');
  let server: RegistryServer;
  before(async () => {
    server = await RegistryServer.start();
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const rigWithBase = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      const rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      return rig;
    };
    const build = (rig: Rig, ...words: readonly string[]) =>
      rig.must(['build', '--tls-verify=false', ...words, context]);
    const pulled = (text: string): number => text.split('Cache pulled from remote').length - 1;

    it(`goes through a repository, an image, a directory and the image itself, ${name}`, { skip }, async () => {
      await using one = await rigWithBase();
      const place = `${server.host}/cache-${name.replaceAll(/\W/g, '')}`;
      const folder = join(one.folder, 'work/cache');
      const first = build(
        one,
        ...['--cache-to', place, '--cache-to', `type=local,dest=${folder},mode=max`],
        ...['--cache-to', `type=registry,ref=${place}:all,mode=max`, '--cache-to', 'type=inline', '-t', 'app'],
      );
      one.run('push', '--tls-verify=false', 'app', `docker://${place}:app`);
      const plain = build(one, '--layers').stdout.trim().split('\n').at(-1);
      assert.match(first.stdout, /--> Pushing cache \[.*\]:[0-9a-f]{64}/);
      command('chmod', ['-R', 'a+rX', folder]);
      for (const [from, least] of [
        [place, STEPS],
        [`type=registry,ref=${place}:all`, STEPS],
        [`type=local,src=${folder}`, STEPS],
        [`${place}:app`, 5],
      ] as const) {
        await using other = await rigWithBase();
        if (from.includes('type=local')) cpSync(folder, join(other.folder, 'work/cache'), { recursive: true });
        const result = build(other, '--cache-from', from.replace(one.folder, other.folder), '-t', 'app');
        assert.equal(pulled(result.stdout), least, from);
        if (least === STEPS) assert.match(build(other, '--explain').stderr, /^6 steps.*6 from the cache$/m);
        assert.deepEqual(
          other.imageTree('app').map(({ path }) => path),
          one.imageTree('app').map(({ path }) => path),
        );
        // The same image to the last bit, but for the member that tells of its steps.
        if (least === STEPS) assert.equal(result.stdout.trim().split('\n').at(-1), plain);
      }
    });

    it(`believes keys and layers only, ${name}`, { skip }, async () => {
      await using one = await rigWithBase();
      const folder = join(one.folder, 'work/cache');
      build(one, '--cache-to', `type=local,dest=${folder},mode=max`, '-t', 'app');

      // Another key: the record of a step says it belongs to something else.
      const forged = join(one.folder, 'work/forged');
      cpSync(folder, forged, { recursive: true });
      rewriteConfig(forged, (text) => text.replace(/"key":"sha256:[0-9a-f]{4}/g, '"key":"sha256:0000'));
      one.give(forged);
      await using other = await rigWithBase();
      const missed = build(other, '--cache-from', `type=local,src=${copyFor(other, forged)}`);
      assert.equal(pulled(missed.stdout), 0);

      // Another layer under the DiffID that was promised.
      const swapped = join(one.folder, 'work/swapped');
      cpSync(folder, swapped, { recursive: true });
      swapLayers(swapped);
      await using third = await rigWithBase();
      const again = build(third, '-t', 'app', '--cache-from', `type=local,src=${copyFor(third, swapped)}`);
      assert.match(again.stderr, /promised the layer .* it is left out/);
      assert.deepEqual(
        third.imageTree('app').map(({ path }) => path),
        one.imageTree('app').map(({ path }) => path),
      );

      // History that looks right, in an image that tells of no steps.
      const plain = `${server.host}/plain-${name.replaceAll(/\W/g, '')}`;
      one.run('push', '--tls-verify=false', 'app', `docker://${plain}:app`);
      await using fourth = await rigWithBase();
      assert.equal(pulled(build(fourth, '--cache-from', `${plain}:app`).stdout), 0);

      // What cannot be read is left out, what cannot be written fails unless it may.
      await using fifth = await rigWithBase();
      const gone = build(fifth, '--cache-from', `type=local,src=${join(fifth.folder, 'none')}`);
      assert.match(gone.stderr, /cannot be read and is left out/);
      const to = '127.0.0.1:1/cache';
      assert.notEqual(fifth.try(['build', '--retry', '0', '--cache-to', to, context]).status, 0);
      const ignored = build(fifth, '--retry', '0', '--cache-to', `type=registry,ref=${to},ignore-error=true`);
      assert.match(ignored.stderr, /the cache could not be sent/);
      assert.match(fifth.try(['build', '--layers=false', '--cache-from', to, context]).stderr, /needs --layers/);
    });
  }
});

/** A copy that the account of the rig can read. */
function copyFor(rig: Rig, folder: string): string {
  const copy = join(rig.folder, 'work/import');
  cpSync(folder, copy, { recursive: true });
  return rig.give(copy);
}

interface Descriptor {
  digest: string;
  size: number;
}

function putBlob(folder: string, bytes: Buffer): Descriptor {
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(folder, 'blobs/sha256', hex), bytes);
  return { digest: `sha256:${hex}`, size: bytes.length };
}

const blobOf = (folder: string, { digest }: Descriptor): Buffer =>
  readFileSync(join(folder, 'blobs/sha256', digest.slice('sha256:'.length)));

/** Writes manifest and index anew, so that every digest but the one in question is right. */
function rewriteManifest(
  folder: string,
  change: (manifest: { config: Descriptor; layers: Descriptor[] }) => void,
): void {
  assert.ok(existsSync(folder), readdirSync(join(folder, '..')).join());
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const manifest = JSON.parse(blobOf(folder, index.manifests[0]).toString('utf8'));
  change(manifest);
  Object.assign(index.manifests[0], putBlob(folder, Buffer.from(JSON.stringify(manifest))));
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
}

function rewriteConfig(folder: string, change: (text: string) => string): void {
  rewriteManifest(folder, (manifest) => {
    const config = change(blobOf(folder, manifest.config).toString('utf8'));
    Object.assign(manifest.config, putBlob(folder, Buffer.from(config)));
  });
}

function swapLayers(folder: string): void {
  rewriteManifest(folder, ({ layers }) => {
    layers.push(layers.shift()!);
  });
}
