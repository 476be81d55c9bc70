/** `source`: images of sources, made by Slipway and by Buildah, each read by the other. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[] | null;
}

/** The only manifest of a layout, and how many blobs there are. */
function readLayout(folder: string): { manifest: Manifest; config: Record<string, unknown>; blobs: number } {
  const blob = (digest: string) => JSON.parse(readFileSync(join(folder, 'blobs', digest.replace(':', '/')), 'utf8'));
  const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  assert.equal(manifests.length, 1);
  const manifest = blob(manifests[0]!.digest) as Manifest;
  return { manifest, config: blob(manifest.config.digest), blobs: readdirSync(join(folder, 'blobs/sha256')).length };
}

const listed = (folder: string, layer: Descriptor): string[] =>
  command('tar', ['-tzf', join(folder, 'blobs', layer.digest.replace(':', '/'))])
    .trim()
    .split('\n')
    .filter((name) => name !== './')
    .sort();

const skip = firstReason(missingPrograms('buildah', 'docker-registry', 'tar'));

describe('source', { skip }, () => {
  for (const { name, account } of accounts()) {
    it(`makes, fills, pushes and pulls source images, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using registry = await RegistryServer.start();
      await using rig = await Rig.open({ account });
      await using buildah = await Rig.open({ account, program: 'buildah' });
      const work = join(rig.folder, 'work');
      writeFileSync(join(work, 'file.txt'), 'words\n');
      mkdirSync(join(work, 'tree/inner'), { recursive: true });
      writeFileSync(join(work, 'tree/inner/code.c'), 'int main;\n');
      rig.give(work);
      const insecure = '--tls-verify=false';

      const made = [rig, buildah].map((builder) => {
        const folder = join(builder.folder, 'work/src');
        const run = (...words: string[]) => assert.equal(builder.run('source', ...words), '', words.join(' '));
        run('create', '--author', 'me', folder);
        assert.deepEqual(readLayout(folder).manifest.layers ?? [], []);
        assert.equal(builder.try(['source', 'create', folder]).status, 125);
        const sources = builder.makeFolder('work/sources');
        builder.command('cp', ['-r', join(work, 'file.txt'), join(work, 'tree'), sources]);
        run('add', '--annotation', 'k=v=w', folder, join(sources, 'file.txt'));
        run('add', folder, join(sources, 'tree'));
        assert.equal(builder.try(['source', 'add', '--annotation', 'k', folder, sources]).status, 125);
        const { manifest, config, blobs } = readLayout(folder);
        const place = `${registry.host}/${builder.isSlipway ? 'ours' : 'theirs'}:1`;
        // Debian's Buildah has no --digestfile here.
        const digestFile = builder.isSlipway ? ['--digestfile', join(folder, '../digest')] : [];
        run('push', '-q', insecure, ...digestFile, folder, place);
        return {
          place,
          manifest,
          described: {
            author: config['author'],
            isDated: typeof config['created'] === 'string',
            config: manifest.config.mediaType,
            layers: manifest.layers?.map((layer) => [layer.mediaType, layer.annotations, listed(folder, layer)]),
            blobs,
          },
        };
      });
      const [ours, theirs] = made;
      assert.deepEqual(ours!.described, theirs!.described);

      assert.match(readFileSync(join(work, 'digest'), 'utf8'), /^sha256:[0-9a-f]{64}$/);
      for (const [builder, { place, manifest }] of [
        [rig, theirs!],
        [buildah, ours!],
      ] as const) {
        const folder = join(builder.folder, 'work/pulled');
        builder.run('source', 'pull', '-q', insecure, place, folder);
        assert.deepEqual(readLayout(folder).manifest, manifest);
        assert.equal(builder.try(['source', 'pull', '-q', insecure, place, folder]).status, 125);
      }
      rig.run('source', 'create', '--time-stamp=false', join(work, 'undated'));
      assert.deepEqual(readLayout(join(work, 'undated')).config, {});
      assert.match(rig.try(['source', 'pull', 'short:1', join(work, 'x')]).stderr, /short name/);

      // What is no source image stays where it is.
      rig.run('from', '--name', 'work', 'scratch');
      rig.run('commit', '-q', insecure, 'work', `docker://${registry.host}/image:1`);
      const refused = rig.try(['source', 'pull', '-q', insecure, `${registry.host}/image:1`, join(work, 'y')]);
      assert.match(refused.stderr, /is no source image/);
    });
  }
});
