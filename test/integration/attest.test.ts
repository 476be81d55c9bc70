/** Attestations of real builds: in layouts and registries, beside exported files, and as files of the caller. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';
import { sbomErrors } from '../support/sbom-schemas.ts';

const DOCKERFILE = `FROM localhost/latest AS base
ARG TOKEN
RUN --network=none mkdir -p /var/lib/dpkg
FROM base
COPY status /var/lib/dpkg/status
RUN --network=none --mount=type=secret,id=key echo made > /made
`;
const STATUS = 'Package: hello\nStatus: install ok installed\nArchitecture: all\nVersion: 2.10-3\n';

interface Reference {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform?: { readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Statement {
  readonly predicateType: string;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicate: {
    readonly packages?: readonly { readonly name: string }[];
    readonly buildDefinition?: {
      readonly resolvedDependencies: readonly { readonly uri: string; readonly digest?: object }[];
    };
  };
}

const WAYS = accounts().map(({ name, account }) => ({ name, account }));

describe('attestations', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-attest-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context'));
    writeFileSync(join(scratch, 'context/Dockerfile'), DOCKERFILE);
    writeFileSync(join(scratch, 'context/status'), STATUS);
    writeFileSync(join(scratch, 'key'), 'hush');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  async function opened(account: (typeof WAYS)[number]['account']): Promise<Rig> {
    if (typeof account === 'string') throw new Error(account);
    const rig = await Rig.open({ account });
    rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
    return rig;
  }
  const build = (rig: Rig, ...words: string[]): string => {
    const secret = ['--secret', `id=key,src=${join(scratch, 'key')}`, '--build-arg', 'TOKEN=confidential'];
    return rig.run('build', '-q', ...secret, ...words, join(scratch, 'context'));
  };

  for (const { name, account } of WAYS) {
    const skip = typeof account === 'string' && account;

    it(`${name}: a layout holds the image and its statements`, { skip }, async () => {
      await using rig = await opened(account);
      const layout = join(rig.folder, 'work/layout');
      build(rig, '--sbom=true', '--provenance=true', '-t', `oci:${layout}:x`);
      const blob = (digest: string): Buffer => readFileSync(join(layout, 'blobs/sha256', digest.slice(7)));
      const read = <T>(digest: string): T => JSON.parse(blob(digest).toString()) as T;
      const [top] = (JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Reference[] })
        .manifests;
      const { manifests } = read<{ manifests: Reference[] }>(top!.digest);
      const [image, attestation] = manifests;
      assert.equal(image?.platform?.os, 'linux');
      assert.equal(attestation?.annotations?.['vnd.docker.reference.digest'], image?.digest);
      const { layers, subject } = read<{ layers: Reference[]; subject: Reference }>(attestation!.digest);
      assert.equal(subject.digest, image?.digest);
      const statements = layers.map(({ digest }) => read<Statement>(digest));
      assert.deepEqual(
        statements.map(({ predicateType }) => predicateType),
        ['https://spdx.dev/Document', 'https://slsa.dev/provenance/v1'],
      );
      for (const statement of statements) assert.equal(statement.subject[0]?.digest.sha256, image?.digest.slice(7));
      assert.deepEqual(sbomErrors('spdx', statements[0]?.predicate), []);
      assert.ok(statements[0]?.predicate.packages?.some((found) => found.name === 'hello'));
      const [base] = statements[1]?.predicate.buildDefinition?.resolvedDependencies ?? [];
      assert.match(base?.uri ?? '', /^pkg:docker\/localhost\/latest@latest\?platform=linux%2F/);
      assert.match(JSON.stringify(base?.digest), /^\{"sha256":"[0-9a-f]{64}"\}$/);
      for (const { digest } of layers) {
        const text = blob(digest).toString();
        assert.equal(createHash('sha256').update(text).digest('hex'), digest.slice(7));
        assert.ok(!text.includes('confidential') && !text.includes('hush'), 'values do not belong into the short form');
      }
    });

    it(`${name}: exported files come with statements about them`, { skip }, async () => {
      await using rig = await opened(account);
      const folder = join(rig.folder, 'work/out');
      const archive = join(rig.folder, 'work/out.tar');
      const outputs = ['-o', `type=local,dest=${folder}`, '-o', `type=tar,dest=${archive}`];
      build(rig, '--sbom=cyclonedx', '--provenance=mode=max,filename=how.json', ...outputs);
      const said = JSON.parse(readFileSync(join(folder, 'how.json'), 'utf8')) as Statement;
      const made = said.subject.find((subject) => subject.name === 'made');
      assert.equal(
        made?.digest.sha256,
        createHash('sha256')
          .update(readFileSync(join(folder, 'made')))
          .digest('hex'),
      );
      assert.ok(JSON.stringify(said).includes('"build-arg:TOKEN":"confidential"'));
      assert.ok(!JSON.stringify(said).includes('hush'));
      const sbom = JSON.parse(readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')) as Statement;
      assert.deepEqual(sbomErrors('cyclonedx', sbom.predicate), []);
      const listed = command('tar', ['-tf', archive]).split('\n');
      assert.ok(listed.includes('how.json') && listed.includes('sbom.cdx.json') && listed.includes('made'));
      assert.equal(command('tar', ['-xOf', archive, 'how.json']), readFileSync(join(folder, 'how.json'), 'utf8'));
    });

    it(`${name}: with fixed times the same build says the same`, { skip }, async () => {
      await using rig = await opened(account);
      const digests = [1, 2].map((n) => {
        const layout = join(rig.folder, `work/layout${n}`);
        build(rig, '--timestamp', '0', '--sbom=true', '--provenance=mode=max', '-t', `oci:${layout}:x`);
        return readFileSync(join(layout, 'index.json'), 'utf8');
      });
      assert.equal(digests[0], digests[1]);
    });

    it(`${name}: files of the caller, of a build and of a commit`, { skip }, async () => {
      await using rig = await opened(account);
      const work = join(rig.folder, 'work');
      build(rig, '--sbom', 'syft', '--sbom-output', 'a.json', '--sbom-purl-output', 'a.txt', '-t', 'app');
      assert.deepEqual(sbomErrors('cyclonedx', JSON.parse(readFileSync(join(work, 'a.json'), 'utf8'))), []);
      assert.equal(readFileSync(join(work, 'a.txt'), 'utf8'), 'pkg:deb/debian/hello@2.10-3?arch=all\n');
      const container = rig.run('from', '--pull-never', 'app');
      rig.run('commit', '-q', '--sbom', 'trivy-spdx', '--sbom-output', 'b.json', container, 'other');
      assert.deepEqual(sbomErrors('spdx', JSON.parse(readFileSync(join(work, 'b.json'), 'utf8'))), []);
    });

    it(`${name}: files in the image, of a build and of a commit`, { skip }, async () => {
      await using rig = await opened(account);
      const inImage = ['--sbom-image-output', '/root/a.json', '--sbom-image-purl-output', 'usr/share/a.txt'];
      const purls = 'pkg:deb/debian/hello@2.10-3?arch=all\n';
      const read = (image: string, path: string): string => {
        const container = rig.run('from', '--pull-never', image);
        const text = rig.must(['run', container, 'cat', path]).stdout;
        rig.run('rm', container);
        return text;
      };
      const facts = (image: string): { layers: number; last: string } => {
        const lines = rig.run('inspect', '--type', 'image', '--format', '{{json .OCIv1}}', image);
        const { rootfs, history } = JSON.parse(lines) as {
          rootfs: { diff_ids: string[] };
          history: { created_by: string; empty_layer?: boolean }[];
        };
        assert.equal(history.filter(({ empty_layer: isEmpty }) => isEmpty !== true).length, rootfs.diff_ids.length);
        return { layers: rootfs.diff_ids.length, last: history.at(-1)!.created_by };
      };
      build(rig, '-t', 'plain');
      build(rig, '--sbom', 'syft', ...inImage, '-t', 'app');
      assert.deepEqual(sbomErrors('cyclonedx', JSON.parse(read('app', '/root/a.json'))), []);
      assert.equal(read('app', '/usr/share/a.txt'), purls);
      assert.equal(facts('app').layers, facts('plain').layers + 1);
      assert.match(facts('app').last, /^\/bin\/sh -c #\(nop\) ADD dir:[0-9a-f]{64} in \/ $/);

      build(rig, '--squash', ...inImage, '-t', 'squashed');
      assert.equal(facts('squashed').layers, 1);
      assert.equal(read('squashed', '/usr/share/a.txt'), purls);

      // From the cache the same image comes, also where others find its steps.
      const cached = ['--layers', '--cache-to', `type=local,dest=${join(rig.folder, 'work/cache')}`, ...inImage];
      const id = build(rig, ...cached, '-t', 'cached');
      assert.equal(build(rig, ...cached, '-t', 'cached'), id);
      assert.equal(read('cached', '/usr/share/a.txt'), purls);

      const container = rig.run('from', '--pull-never', 'plain');
      rig.run('run', container, 'rm', '/made');
      for (const squash of [[], ['--squash']]) {
        const added = ['--add-file', `${join(scratch, 'context/status')}:/added`];
        rig.run('commit', '-q', ...squash, ...added, '--sbom', 'trivy-spdx', ...inImage, container, 'committed');
        assert.deepEqual(sbomErrors('spdx', JSON.parse(read('committed', '/root/a.json'))), []);
        assert.equal(read('committed', '/usr/share/a.txt'), purls);
        assert.equal(read('committed', '/added'), STATUS);
        assert.equal(facts('committed').layers, squash.length === 1 ? 1 : facts('plain').layers + 3);
      }
    });

    it(`${name}: each platform of a list has its own`, { skip }, async () => {
      await using rig = await opened(account);
      const layout = join(rig.folder, 'work/layout');
      mkdirSync(join(scratch, 'plain'), { recursive: true });
      writeFileSync(join(scratch, 'plain/Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
      command('chmod', ['-R', 'go+rX', join(scratch, 'plain')]);
      const platforms = ['--platform', 'linux/amd64,linux/arm64', '--manifest', 'list'];
      rig.run('build', '-q', ...platforms, '--provenance=true', join(scratch, 'plain'));
      rig.run('push', '-q', '--all', 'list', `oci:${layout}:x`);
      const read = <T>(digest: string): T =>
        JSON.parse(readFileSync(join(layout, 'blobs/sha256', digest.slice(7)), 'utf8')) as T;
      const [top] = (JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Reference[] })
        .manifests;
      const { manifests } = read<{ manifests: Reference[] }>(top!.digest);
      assert.deepEqual(
        manifests.map(({ platform }) => platform?.os),
        ['linux', 'linux', 'unknown', 'unknown'],
      );
      assert.deepEqual(
        manifests.slice(2).map(({ annotations }) => annotations?.['vnd.docker.reference.digest']),
        manifests.slice(0, 2).map(({ digest }) => digest),
      );
      for (const [i, attestation] of manifests.slice(2).entries()) {
        const [layer] = read<{ layers: Reference[] }>(attestation.digest).layers;
        assert.equal(read<Statement>(layer!.digest).subject[0]?.digest.sha256, manifests[i]?.digest.slice(7));
      }
    });

    it(`${name}: a later push takes them along`, {
      skip: firstReason(skip, missingPrograms('docker-registry', 'skopeo')),
    }, async () => {
      await using rig = await opened(account);
      await using registry = await RegistryServer.start();
      build(rig, '--sbom=true', '-t', 'app');
      rig.run('prune', '-f');
      const place = `docker://${registry.host}/team/app:1`;
      rig.run('push', '-q', '--tls-verify=false', 'app', place);
      const raw = command('skopeo', ['inspect', '--raw', '--tls-verify=false', place]);
      const [image, attestation] = (JSON.parse(raw) as { manifests: Reference[] }).manifests;
      assert.equal(attestation?.annotations?.['vnd.docker.reference.digest'], image?.digest);
      const copy = join(scratch, `copy-${name.replaceAll(/\W/g, '-')}`);
      command('skopeo', ['copy', '-q', '--all', '--src-tls-verify=false', place, `oci:${copy}:x`]);
      const text = readFileSync(join(copy, 'blobs/sha256', attestation!.digest.slice(7)), 'utf8');
      const [layer] = (JSON.parse(text) as { layers: Reference[] }).layers;
      const said = JSON.parse(readFileSync(join(copy, 'blobs/sha256', layer!.digest.slice(7)), 'utf8')) as Statement;
      assert.equal(said.subject[0]?.name, `pkg:docker/${registry.host}/team/app@1?platform=linux%2Famd64`);
      // The image is found by everyone who looks for one of this machine.
      rig.run('pull', '-q', '--tls-verify=false', place);
    });
  }
});
