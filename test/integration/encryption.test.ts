/** Encrypted layers, written and read by slipway and by skopeo, through layouts and registries. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, missingPrograms, tryCommand } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

interface ManifestText {
  readonly mediaType: string;
  readonly config: { readonly digest: string };
  readonly layers: readonly {
    readonly mediaType: string;
    readonly digest: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

const PLAIN = 'application/vnd.oci.image.layer.v1.tar+gzip';
const ENCRYPTED = `${PLAIN}+encrypted`;

describe('encrypted layers', { skip: missingPrograms('skopeo', 'docker-registry') }, () => {
  let registry: RegistryServer;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-encryption-'));
  const key = (name: string): string => join(scratch, name);
  before(async () => {
    registry = await RegistryServer.start();
    for (const name of ['mine', 'theirs']) {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      writeFileSync(key(`${name}.pub`), publicKey.export({ format: 'pem', type: 'spki' }));
      writeFileSync(key(`${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs1' }));
      const locked = { cipher: 'aes-256-cbc', passphrase: 'sesame' };
      writeFileSync(key(`${name}.locked`), privateKey.export({ format: 'pem', type: 'pkcs8', ...locked }));
    }
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(key('curve.pub'), curve.publicKey.export({ format: 'pem', type: 'spki' }));
    writeFileSync(key('curve.pem'), curve.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    writeFileSync(key('passphrase'), 'sesame\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const inspect = (place: string): ManifestText =>
    JSON.parse(command('skopeo', ['inspect', '--raw', '--tls-verify=false', place])) as ManifestText;
  const types = (place: string): string[] => inspect(place).layers.map(({ mediaType }) => mediaType);

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const opened = async (): Promise<Rig> => {
      if (typeof account === 'string') throw new Error(account);
      return await Rig.open({ account });
    };
    /** An image of three layers, stored as `app`. Gives its id. */
    const build = (rig: Rig): string => {
      const context = rig.makeFolder('work/context');
      mkdirSync(context, { recursive: true });
      writeFileSync(join(context, 'big'), Buffer.alloc(300_000, 'not a secret any longer\n'));
      writeFileSync(join(context, 'small'), 'small\n');
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY small /a\nCOPY big /b\nCOPY small /c\n');
      rig.give(context);
      return rig.run('build', '-q', '--layers', '--timestamp', '0', '-t', 'app', context);
    };

    it(`${name}: are read by skopeo, and read from it`, { skip }, async () => {
      await using rig = await opened();
      const id = build(rig);
      const place = `docker://${registry.host}/${rig.account.name}/app:1`;
      rig.run('push', '-q', '--tls-verify=false', '--encryption-key', `jwe:${key('mine.pub')}`, 'app', place);
      assert.deepEqual(types(place), [ENCRYPTED, ENCRYPTED, ENCRYPTED]);

      const there = join(rig.makeFolder('work/skopeo'), 'there');
      const skopeo = (...words: string[]): void => {
        command('skopeo', ['copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', ...words]);
      };
      skopeo('--decryption-key', key('mine.pem'), place, `oci:${there}:x`);
      assert.deepEqual(types(`oci:${there}:x`), [PLAIN, PLAIN, PLAIN]);
      rig.run('push', '-q', 'app', `oci:${there}-plain:x`);
      assert.deepEqual(inspect(`oci:${there}:x`).layers, inspect(`oci:${there}-plain:x`).layers);

      const back = `docker://${registry.host}/${rig.account.name}/back:1`;
      skopeo('--encryption-key', `jwe:${key('theirs.pub')}`, '--encrypt-layer', '-1', `oci:${there}:x`, back);
      assert.deepEqual(types(back), [PLAIN, PLAIN, ENCRYPTED]);
      await using other = await opened();
      const pull = ['pull', '-q', '--tls-verify=false', '--decryption-key', key('theirs.pem')];
      assert.equal(other.run(...pull, back), id);
      assert.deepEqual(other.imageTree(id), rig.imageTree('app'));
    });

    it(`${name}: one recipient of several opens the layers that were chosen, with any form of key`, {
      skip,
    }, async () => {
      await using rig = await opened();
      const id = build(rig);
      const layout = `oci:${join(rig.folder, 'work/layout')}:x`;
      const keys = ['mine', 'theirs', 'curve'].map((owner) => `jwe:${key(`${owner}.pub`)}`).join(',');
      rig.run('push', '-q', '--encryption-key', keys, '--encrypt-layer', '1', '--encrypt-layer=-1', 'app', layout);
      assert.deepEqual(types(layout), [PLAIN, ENCRYPTED, ENCRYPTED]);
      for (const owner of ['mine', 'theirs', 'curve']) {
        const there = join(rig.makeFolder('work/skopeo'), owner);
        command('skopeo', ['copy', '-q', '--decryption-key', key(`${owner}.pem`), layout, `oci:${there}:x`]);
        assert.deepEqual(types(`oci:${there}:x`), [PLAIN, PLAIN, PLAIN]);
      }
      for (const text of [
        key('curve.pem'),
        `${key('theirs.locked')}:sesame`,
        `${key('mine.locked')}:file=${key('passphrase')}`,
      ]) {
        await using other = await opened();
        assert.equal(other.run('pull', '-q', '--decryption-key', text, layout), id);
        const container = other.run('from', '--pull-never', id);
        assert.ok(container.includes('working-container'), container);
      }
      const missing = rig.try(['push', '--encryption-key', keys, '--encrypt-layer', '3', 'app', layout]);
      assert.equal(missing.status, 125);
      assert.match(missing.stderr, /cannot encrypt the layer 3: the image has 3 layers/);
    });

    it(`${name}: without the right key nothing is kept, and no secret is told`, { skip }, async () => {
      await using rig = await opened();
      build(rig);
      const layout = join(rig.folder, 'work/layout');
      rig.run('push', '-q', '--encryption-key', `jwe:${key('mine.pub')}`, 'app', `oci:${layout}:x`);
      await using other = await opened();
      const refused = (words: readonly string[], message: RegExp): void => {
        const { status, stderr } = other.try(words);
        assert.equal(status, 125, stderr);
        assert.match(stderr, message);
        assert.doesNotMatch(stderr, /sesame/);
        assert.equal(other.run('images', '-aq'), '');
      };
      const from = `oci:${layout}:x`;
      refused(['pull', from], /is encrypted, and no key to open it is given\nhelp: give the private key with/);
      refused(['from', from], /is encrypted, and no key/);
      refused(['pull', '--decryption-key', key('theirs.pem'), from], /is encrypted, and the key does not open it/);
      refused(['pull', '--decryption-key', `${key('mine.locked')}:sesame2`, from], /the passphrase is wrong/);
      refused(['pull', '--decryption-key', key('mine.pub'), from], /it is a public key, and a private key is needed/);
      refused(['pull', '--decryption-key', 'provider:sesame', from], /--decryption-key provider: is not supported/);
      const target = `oci:${join(other.folder, 'work/decrypted')}:x`;
      refused(['image', 'copy', '--decryption-key', key('theirs.pem'), from, target], /the key does not open it/);
      assert.equal(tryCommand('skopeo', ['inspect', '--raw', target]).status, 1);

      // Somebody who holds no key can change bytes and digests alike, but not the MAC.
      const blobs = join(layout, 'blobs/sha256');
      const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
        manifests: { digest: string; size: number }[];
      };
      const read = (digest: string): Buffer => readFileSync(join(blobs, digest.slice(7)));
      const write = (bytes: Buffer): string => {
        const digest = command('sha256sum', ['-b'], { input: bytes }).slice(0, 64);
        writeFileSync(join(blobs, digest), bytes);
        return `sha256:${digest}`;
      };
      const manifest = JSON.parse(read(manifests[0]!.digest).toString()) as ManifestText;
      const changed = read(manifest.layers[1]!.digest);
      changed[40]! ^= 1;
      const layers = manifest.layers.map((layer, i) => (i === 1 ? { ...layer, digest: write(changed) } : layer));
      const bytes = Buffer.from(JSON.stringify({ ...manifest, layers }));
      const entry = { ...manifests[0]!, digest: write(bytes), size: bytes.length };
      writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
      refused(['pull', '--decryption-key', key('mine.pem'), from], /its bytes are not those that were encrypted/);
      const blobFolder = join(other.folder, 'root');
      const kept = readdirSync(blobFolder, { recursive: true })
        .map(String)
        .filter((path) => /[0-9a-f]{64}/.test(path));
      assert.ok(!kept.some((path) => path.includes(layers[1]!.digest.slice(7))), kept.join('\n'));
    });

    it(`${name}: are bases of builds, copied from, committed and copied between places`, { skip }, async () => {
      await using rig = await opened();
      build(rig);
      const place = `${registry.host}/${rig.account.name}/base:1`;
      const encrypt = ['--encryption-key', `jwe:${key('mine.pub')}`];
      rig.run('push', '-q', '--tls-verify=false', ...encrypt, 'app', `docker://${place}`);
      await using other = await opened();
      const context = other.makeFolder('work/context');
      writeFileSync(join(context, 'Dockerfile'), `FROM ${place}\nCOPY --from=${place} /a /d\n`);
      other.give(context);
      const words = ['build', '-q', '--tls-verify=false', '-t', 'built', context];
      assert.match(other.try(words).stderr, /Dockerfile:1:1 \[layer\.encrypted\]/);
      const secret = `${key('mine.locked')}:sesame`;
      const trace = join(other.folder, 'work/trace.json');
      other.run(
        ...words.slice(0, -1),
        '--layers',
        '--trace',
        trace,
        '--provenance',
        'mode=max',
        '--decryption-key',
        secret,
        context,
      );
      // Neither the store nor what tells of the build has heard of the passphrase.
      assert.equal(tryCommand('grep', ['-rqa', 'sesame', join(other.folder, 'root'), trace]).status, 1);
      const lock = join(other.folder, 'work/slipway.lock');
      const decrypt = ['--decryption-key', key('mine.pem'), '--lock', lock];
      const locked = other.run(...words.slice(0, -1), '--timestamp', '0', ...decrypt, context);
      other.run('rmi', '--all', '--force');
      assert.equal(other.run(...words.slice(0, -1), '--timestamp', '0', ...decrypt, '--locked', context), locked);
      const container = other.run('from', '--pull-never', 'built');
      other.run(
        'copy',
        '-q',
        '--tls-verify=false',
        '--decryption-key',
        key('mine.pem'),
        '--from',
        place,
        container,
        '/c',
        '/e',
      );
      const layout = join(other.folder, 'work/committed');
      const stored = other.try(['commit', ...encrypt, container, 'stored']);
      assert.match(stored.stderr, /cannot encrypt an image that goes into the store/);
      other.run('commit', '-q', ...encrypt, container, `oci:${layout}:x`);
      assert.ok(types(`oci:${layout}:x`).every((type) => type === ENCRYPTED));

      const plain = join(other.folder, 'work/plain');
      other.run('image', 'copy', '-q', '--decryption-key', key('mine.pem'), `oci:${layout}:x`, `oci:${plain}:x`);
      assert.ok(types(`oci:${plain}:x`).every((type) => type === PLAIN));
      const archive = join(other.folder, 'work/plain.tar');
      other.run(
        'image',
        'copy',
        '-q',
        '--decryption-key',
        key('mine.pem'),
        `oci:${layout}:x`,
        `docker-archive:${archive}:x:1`,
      );
      const copied = other.run('image', 'inspect', '--format', '{{.Layers}}', `docker-archive:${archive}`);
      assert.match(copied, /sha256:/);
      // Copied without a key they stay as they are, and so they do where the copy compresses.
      other.run(
        'image',
        'copy',
        '-q',
        '--compression-format',
        'zstd',
        '--force-compression',
        `oci:${layout}:x`,
        `oci:${layout}2:x`,
      );
      assert.deepEqual(inspect(`oci:${layout}2:x`).layers, inspect(`oci:${layout}:x`).layers);
      other.run('image', 'copy', '-q', ...encrypt, `oci:${plain}:x`, `dir:${plain}-dir`);
      const sealed = JSON.parse(readFileSync(join(`${plain}-dir`, 'manifest.json'), 'utf8')) as ManifestText;
      assert.ok(sealed.layers.every(({ mediaType }) => mediaType === ENCRYPTED));
      for (const [flags, target, message] of [
        [['--format', 'v2s2'], `oci:${plain}3:x`, /hold no encrypted layers/],
        [[], `docker-archive:${plain}3.tar:x:1`, /it keeps layers unpacked, so none that are encrypted/],
        [['--preserve-digests'], `oci:${plain}3:x`, /digests cannot be preserved/],
        [['--decryption-key', key('mine.pem')], `oci:${plain}3:x`, /not both/],
      ] as const) {
        assert.match(other.try(['image', 'copy', ...flags, ...encrypt, `oci:${plain}:x`, target]).stderr, message);
      }
      const keyless = other.try(['image', 'copy', `oci:${layout}:x`, `docker-archive:${plain}3.tar:x:1`]);
      assert.match(keyless.stderr, /is encrypted, and no key to open it is given/);
      assert.ok(!existsSync(`${plain}3.tar`));
    });
  }
});
