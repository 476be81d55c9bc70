/** Layers as zstd:chunked: podman fetches them whole, and file by file by their table of contents. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { rootAccount } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms, tryCommand } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

const NOW = 'io.github.containers.zstd-chunked';
/** What Debian's podman calls the same annotations. */
const BEFORE = 'io.containers.zstd-chunked';

const skip = firstReason(
  rootAccount() === undefined && 'overlay storage of podman needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('podman', 'skopeo', 'docker-registry'),
);

describe('zstd:chunked', { skip }, () => {
  it('is fetched by podman, in parts too, and pulled again', async () => {
    await using rig = await Rig.open({ account: rootAccount()! });
    await using registry = await RegistryServer.start();
    const context = rig.makeFolder('work/context');
    copyFileSync(staticBusybox()!, join(context, 'busybox'));
    mkdirSync(join(context, 'tree/inner'), { recursive: true });
    writeFileSync(join(context, 'tree/inner/file'), 'words\n');
    writeFileSync(join(context, 'tree/empty'), '');
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/\nCOPY tree /tree\n');
    const id = rig.run('bud', '-q', '-t', 'app', context);
    const place = (tag: string) => `docker://${registry.host}/app:${tag}`;
    const push = (...flags: string[]) => rig.run('push', '-q', '--tls-verify=false', ...flags);
    push('--compression-format', 'zstd:chunked', 'app', place('new'));
    // The second push finds the blob made, with what has to be said about it.
    push('--compression-format', 'zstd:chunked', 'app', place('again'));
    const raw = (tag: string) => command('skopeo', ['inspect', '--raw', '--tls-verify=false', place(tag)]);
    assert.deepEqual(JSON.parse(raw('again')), JSON.parse(raw('new')));
    const [layer] = JSON.parse(raw('new')).layers;
    assert.match(layer.mediaType, /tar\+zstd$/);
    assert.deepEqual(Object.keys(layer.annotations).sort(), [
      `${NOW}.manifest-checksum`,
      `${NOW}.manifest-position`,
      `${NOW}.tarsplit-position`,
    ]);
    rig.run('rmi', '--all', '--force');
    assert.equal(rig.run('pull', '-q', '--tls-verify=false', `${registry.host}/app:new`), id);

    const copy = join(rig.folder, 'work/copy');
    command('skopeo', ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', place('new'), `dir:${copy}`]);
    const manifest = readFileSync(join(copy, 'manifest.json'), 'utf8');
    writeFileSync(join(copy, 'manifest.json'), manifest.replaceAll(NOW, BEFORE));
    command('skopeo', ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', `dir:${copy}`, place('old')]);

    const storage = join(rig.folder, 'storage.conf');
    const folder = join(rig.folder, 'podman');
    const options = 'pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}';
    writeFileSync(
      storage,
      `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n[storage.options]\n${options}\n`,
    );
    const env = { ...process.env, CONTAINERS_STORAGE_CONF: storage };
    const podman = (...words: string[]) => tryCommand('podman', words, { env });
    for (const tag of ['new', 'old']) {
      const name = `${registry.host}/app:${tag}`;
      const pulled = podman('--log-level', 'debug', 'pull', '--tls-verify=false', name);
      assert.equal(pulled.status, 0, pulled.stderr);
      if (tag === 'old') assert.match(pulled.stderr, /Retrieved partial blob/);
      const root = podman('image', 'mount', name).stdout.trim();
      assert.deepEqual(readFileSync(join(root, 'bin/busybox')), readFileSync(join(context, 'busybox')));
      assert.equal(readFileSync(join(root, 'tree/inner/file'), 'utf8'), 'words\n');
      assert.equal(readFileSync(join(root, 'tree/empty'), 'utf8'), '');
      podman('image', 'umount', '--all');
      podman('rmi', '--all', '--force');
    }
    const refused = ['push', '-q', '--compression-format', 'zstd:chunked', '-f', 'v2s2', id, place('never')];
    assert.match(rig.try(refused).stderr, /cannot be zstd:chunked/);
  });
});
