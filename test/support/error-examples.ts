/** One error for each code, made by the code that makes it in earnest wherever that can be had without a machine to match. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decompress } from '../../src/archive/compression.ts';
import { readTar } from '../../src/archive/tar-reader.ts';
import { verified } from '../../src/archive/verify.ts';
import { readContainerfile } from '../../src/build/containerfile.ts';
import { readLock, writeLock } from '../../src/build/lock-file.ts';
import { SourceGate } from '../../src/build/source-gate.ts';
import { applyPolicy, parseSourcePolicy } from '../../src/build/source-policy.ts';
import { why } from '../../src/build/why.ts';
import { UsageError } from '../../src/cli/usage-error.ts';
import { removeCache } from '../../src/container/cache-store.ts';
import { requireContainer } from '../../src/container/container-store.ts';
import { resolveSources } from '../../src/container/copy-source.ts';
import type { Engine } from '../../src/container/engine.ts';
import { createList, removeFromList } from '../../src/container/list-verbs.ts';
import { findImage, requireImage } from '../../src/container/local-image.ts';
import { findList } from '../../src/container/manifest-list.ts';
import { pullFailure } from '../../src/container/pull-failure.ts';
import { fetchUrl } from '../../src/container/remote-source.ts';
import { parseIgnoreFile } from '../../src/dockerfile/ignore-file.ts';
import { buildInstructions } from '../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../src/dockerfile/parser.ts';
import { findTarget, planStages } from '../../src/dockerfile/stages.ts';
import { choosePlatform } from '../../src/image/choose-platform.ts';
import { LAYER_CIPHER } from '../../src/image/crypt/layer-cipher.ts';
import { LayerDecrypter, layerDecrypter } from '../../src/image/crypt/layer-crypt.ts';
import { openFile } from '../../src/image/transport/blob-directory.ts';
import { openTransport } from '../../src/image/transport/open-transport.ts';
import { readAuthFile } from '../../src/registry/auth-file.ts';
import { pullSources } from '../../src/registry/image-source.ts';
import { EMPTY_REGISTRIES_CONF } from '../../src/registry/registries-conf.ts';
import { errorOfConnection, errorOfResponse } from '../../src/registry/registry-error.ts';
import { BuilderError } from '../../src/report/builder-error.ts';
import type { ErrorCode } from '../../src/report/error-codes.ts';
import type { SourceFile } from '../../src/report/source-file.ts';
import { parseModeChange } from '../../src/rootfs/copy-mode.ts';
import { IdMap } from '../../src/rootfs/id-map.ts';
import { whiteoutMeaning } from '../../src/rootfs/whiteout.ts';
import { runEnvironment } from '../../src/run/environment.ts';
import { JWE_ANNOTATION, PUBLIC_OPTIONS_ANNOTATION } from '../../src/spec/encrypted-layer.ts';
import { parseImageName } from '../../src/spec/image-name.ts';
import { parseSignatureFile } from '../../src/spec/image-signature.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { parseStrictJson } from '../../src/spec/strict-json.ts';
import { FileLock } from '../../src/sys/file-lock.ts';
import { RootDirectory } from '../../src/sys/root-directory.ts';
import { refuseRejected } from '../../src/trust/judge-image.ts';
import { parsePolicy } from '../../src/trust/parse-policy.ts';
import { locationIdentity } from '../../src/trust/policy-scope.ts';
import { openSigstoreKey } from '../../src/trust/sigstore-private-key.ts';

/** Makes the error by throwing or giving it. @param place an empty folder */
export type MakeError = (place: string) => unknown;

const TEXT = `FROM docker.io/library/node:22 AS deps
WORKDIR /src
COPY package.json package-lock.json ./
\tRUN npm ci && echo "日本語" && npm run a-rather-long-script-name -- --with-many-options --and-more-of-them --to-fill-the-line
FROM deps AS app
`;

const dockerfile = (text: string): SourceFile => ({ name: 'Dockerfile', text });

function instructionsOf(text: string) {
  return buildInstructions(parseDockerfile(dockerfile(text)));
}

function planOf(text: string) {
  const platform = { os: 'linux', architecture: 'amd64' };
  return planStages(instructionsOf(text), {
    platforms: { build: platform, target: platform },
    buildArgs: new Map(),
    contexts: new Set(),
  });
}

/** What a step that failed throws, at the part of TEXT that is given. */
function atStep(code: ErrorCode, step: string, what: string, more: ConstructorParameters<typeof BuilderError>[2] = {}) {
  const start = TEXT.indexOf(step);
  const message = `building at STEP ${JSON.stringify(step)}: ${what}`;
  return new BuilderError(code, message, {
    span: { file: dockerfile(TEXT), start, end: start + step.length },
    ...more,
  });
}

const ID = '407f87af2cb2'.padEnd(64, '0');
const OTHER_ID = '407f99'.padEnd(64, '1');
const LIST_ID = 'f'.repeat(64);
const manifest = (mediaType: string) => ({ mediaType, digest: `sha256:${ID}`, size: 1 });

/** A store of two images and a container, as far as the look-ups go. */
const engine = {
  store: {
    images: {
      list: () => [
        { id: ID, names: ['localhost/hello:latest'], manifest: manifest('application/vnd.oci.image.manifest.v1+json') },
        { id: OTHER_ID, names: [], manifest: manifest('application/vnd.oci.image.manifest.v1+json') },
        { id: LIST_ID, names: ['localhost/app:latest'], manifest: manifest('application/vnd.oci.image.index.v1+json') },
      ],
    },
    blobs: {
      read: () => Buffer.from(JSON.stringify({ manifests: [{ digest: `sha256:${'c'.repeat(64)}` }] })),
    },
    containers: { list: () => [{ id: ID, name: 'alpine-working-container' }] },
  },
} as unknown as Engine;

/** Of a build that is held to a lock of one file. */
function lockedGate(place: string): Promise<SourceGate> {
  const http = [{ url: 'https://example.org/file', digest: `sha256:${'a'.repeat(64)}` }];
  writeLock(join(place, 'slipway.lock'), { images: [], http, git: [] });
  return SourceGate.open({ ...engine, cwd: place }, { locked: true, lock: 'slipway.lock' });
}

/** As of a layer that is encrypted for somebody. */
const ENCRYPTION = {
  [JWE_ANNOTATION]: '',
  [PUBLIC_OPTIONS_ANNOTATION]: Buffer.from(
    JSON.stringify({ cipher: LAYER_CIPHER, hmac: Buffer.alloc(32).toString('base64') }),
  ).toString('base64'),
};

async function* bytes(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function drained(content: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of content);
}

const attempt = (url: string) => ({
  purpose: 'fetch manifest of registry.example.org/app:1',
  method: 'GET',
  url: new URL(url),
});
const MANIFEST_URL = 'https://registry.example.org/v2/app/manifests/1';

function response(status: number, body: string) {
  return {
    status,
    url: new URL(MANIFEST_URL),
    header: () => undefined,
    body: bytes(Buffer.from(body)),
    discard: () => {},
  };
}

/** A context in which `srv/app.js` exists and `dist/app.js` is ignored. */
async function copyFrom(place: string, pattern: string): Promise<void> {
  for (const folder of ['src', 'dist']) {
    mkdirSync(join(place, folder), { recursive: true });
    writeFileSync(join(place, folder, 'app.js'), '');
  }
  using root = new RootDirectory(place);
  const patterns = ['# built', 'node_modules', 'dist'];
  await resolveSources({ root, patterns: [pattern], ignore: { patterns, name: '.dockerignore' } });
}

const CACHE = '0123456789ab'.padEnd(32, '0');
const OTHER_CACHE = '0123ab'.padEnd(32, '0');

/** A store of two caches, as far as the look-ups go. */
function engineOfCaches(place: string): Engine {
  const root = join(place, 'mounts');
  for (const [name, namespace, usedAt] of [
    [CACHE, '', 2],
    [OTHER_CACHE, 'ci', 1],
  ] as const) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, `${name}.json`), JSON.stringify({ id: '/root/.npm', namespace }));
    utimesSync(join(root, `${name}.json`), usedAt, usedAt);
  }
  return { store: { paths: { cache: place } }, cwd: place } as unknown as Engine;
}

export const ERROR_EXAMPLES: Readonly<Partial<Record<ErrorCode, MakeError>>> = {
  'usage.invalid': () =>
    new UsageError('unknown command "buidl" for "slipway"', {
      near: { word: 'buidl', candidates: ['build', 'pull', 'push'], prefix: 'slipway ' },
    }),
  'usage.unsupported': () => new UsageError('--cgroup-manager of run is not supported', { code: 'usage.unsupported' }),
  'sys.call-failed': (place) => new RootDirectory(join(place, 'nowhere')),
  'sys.not-permitted': () =>
    new BuilderError('sys.not-permitted', 'cannot create a user namespace: operation not permitted (EPERM)', {
      hint: 'as root: sysctl kernel.unprivileged_userns_clone=1',
    }),
  'sys.spawn-failed': () =>
    new BuilderError('sys.spawn-failed', 'cannot start git', { cause: new Error('spawn git ENOENT') }),
  'sys.cancelled': () =>
    new BuilderError('sys.cancelled', 'the run was cancelled', { cause: new Error('stopped by SIGINT') }),
  'path.escapes': (place) => {
    using root = new RootDirectory(place);
    root.openParent('a/..');
  },
  'store.damaged': () =>
    new BuilderError('store.damaged', `the blob sha256:${ID} in the store has other content`, {
      hint: 'pull the image again, or remove it',
    }),
  'store.format': () =>
    new BuilderError('store.format', 'the image table /var/lib/slipway/images.json is of an unknown version'),
  'blob.not-found': (place) => openFile(join(place, 'blob'), `blob sha256:${ID}`),
  'blob.digest-mismatch': () =>
    drained(verified(bytes(Buffer.from('other')), { digest: `sha256:${ID}` as never, size: 5 }, `blob sha256:${ID}`)),
  'image.not-known': () => requireImage(engine, 'helo'),
  'image.in-use': () =>
    new BuilderError('image.in-use', `image used by ${ID}: image is in use by a container`, {
      hint: 'remove the container alpine-working-container first, or use --force',
    }),
  'image.read-only': () =>
    new BuilderError(
      'image.read-only',
      'cannot remove the image docker.io/library/alpine:latest: it is of the store /srv/images',
      {
        hint: 'that store is only read here; remove the image there, with --root',
      },
    ),
  'image.base-unknown': () =>
    new BuilderError('image.base-unknown', 'cannot rebase app: nothing tells what it was built from', {
      hint: 'name its base with --old-base',
    }),
  'image.ambiguous': () => findImage(engine, '407f'),
  'container.not-known': () => requireContainer(engine, 'alpine-workin-container'),
  'container.exists': () =>
    new BuilderError('container.exists', 'the container name "a" is already in use', {
      hint: 'remove that container or choose another --name',
    }),
  'tar.invalid': () => drained(readTar(bytes(Buffer.alloc(512, 'x')))),
  'compression.invalid': () => drained(decompress(bytes(Buffer.from('1f8b0800000000000003ffff', 'hex')))),
  'layer.invalid': () => whiteoutMeaning('etc/.wh.' as never),
  'layer.encrypted': () =>
    new LayerDecrypter([]).open({
      mediaType: `${MEDIA.ociLayer}+encrypted`,
      digest: `sha256:${ID}` as never,
      size: 1,
      annotations: ENCRYPTION,
    }),
  'key.invalid': (place) => layerDecrypter([`${join(place, 'key.pem')}:file=passphrase`], place),
  'layer.diff-failed': () =>
    new BuilderError(
      'layer.diff-failed',
      'cannot write the layer: the file name "etc/.wh.x" means a removal to every reader of layers',
    ),
  'layer.id-unmapped': () => new IdMap('0 1000 1\n1 100000 65536\n', '0 1000 1\n').require(70_000, 0, 'etc/shadow'),
  'snapshot.not-known': () => new BuilderError('snapshot.not-known', `no sealed snapshot "${ID.slice(0, 16)}"`),
  'snapshot.exists': () => new BuilderError('snapshot.exists', 'an active snapshot "build-1" exists already'),
  'driver.unavailable': () =>
    new BuilderError('driver.unavailable', 'overlay cannot stack 501 layers: the kernel takes 500', {
      hint: 'squash some layers (--squash), or use --storage-driver vfs',
    }),
  'run.start-failed': () => runEnvironment({ image: ['PATH=/bin', 'BROKEN'] }),
  'run.isolation-unavailable': () =>
    new BuilderError('run.isolation-unavailable', 'isolation oci does not work here (oci: no runtime is installed)', {
      hint: 'install crun or runc',
    }),
  'run.network-unavailable': () =>
    new BuilderError('run.network-unavailable', 'cannot open the network namespace "/run/netns/ci"', {
      cause: new Error("ENOENT: no such file or directory, open '/run/netns/ci'"),
    }),
  'step.failed': () =>
    atStep('step.failed', TEXT.split('\n')[3]!.trim(), 'while running runtime: exit status 137', {
      facts: { exitCode: 137 },
    }),
  'copy.source-missing': (place) => copyFrom(place, 'dist/app.js'),
  'copy.invalid': () => parseModeChange('u=rwz'),
  'copy.fetch-failed': () => fetchUrl('ftp://user:hunter2@example.org/x.tar', {} as never),
  'reference.invalid': () => parseReference('example.org/Hello World:1'),
  'manifest.not-a-list': () => findList(engine, 'hello'),
  'manifest.no-entry': () => removeFromList(engine, 'app', `sha256:${'0'.repeat(64)}`),
  'image.name-in-use': () => createList(engine, 'hello', []),
  'manifest.invalid': () =>
    parseStrictJson(Buffer.from('{"a":1,"a":2}'), 'the manifest of example.org/x', { maxBytes: 100, maxDepth: 9 }),
  'platform.not-runnable': () =>
    atStep(
      'platform.not-runnable',
      'RUN npm ci',
      'cannot run programs of linux/arm64: this kernel has no interpreter for them',
      {
        hint: 'install one: apt-get install qemu-user-static binfmt-support',
      },
    ),
  'platform.not-found': () =>
    choosePlatform(
      {
        schemaVersion: 2,
        manifests: ['amd64', 'arm64'].map((architecture) => ({
          ...manifest('application/vnd.oci.image.manifest.v1+json'),
          platform: { os: 'linux', architecture },
        })),
      } as never,
      { os: 'linux', architecture: 's390x' },
      'docker.io/library/node:22',
    ),
  'registry.unauthorized': async (place) => {
    const body = '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';
    const error = await errorOfResponse(attempt(MANIFEST_URL), response(401, body));
    const tried = [{ place: parseReference('registry.example.org/app:1') as never, isMirror: false, error }];
    return pullFailure('app', tried, { env: { HOME: place, XDG_RUNTIME_DIR: place } });
  },
  'registry.request-failed': () =>
    errorOfConnection(
      attempt(MANIFEST_URL),
      Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      false,
    ),
  'registry.not-a-registry': () =>
    new BuilderError(
      'registry.not-a-registry',
      'example.org is not a registry: GET https://example.org/v2/ answered status 200 and text/html',
      {
        hint: 'check the host name; a proxy or the login page of a network may be answering in its place',
      },
    ),
  'registry.blocked': () => {
    const registries = [
      {
        prefix: 'example.org',
        location: 'example.org',
        blocked: true,
        insecure: false,
        mirrors: [],
        mirrorByDigestOnly: false,
      },
    ];
    pullSources(parseReference('example.org/x:1') as never, { ...EMPTY_REGISTRIES_CONF, registries } as never);
  },
  'transport.failed': (place) =>
    openTransport('docker-daemon', 'app:1', 'read', {
      registry: { env: { DOCKER_HOST: `unix://${join(place, 'docker.sock')}` } },
    }),
  'transport.unsupported': () => parseImageName('ostree:hello'),
  'auth.file-invalid': (place) => {
    const path = join(place, 'auth.json');
    writeFileSync(path, '{"auths": [');
    return readAuthFile(path);
  },
  'trust.invalid': () =>
    parsePolicy({
      name: 'policy.json',
      text: '{\n  "default": [{ "type": "signedby", "keyPath": "/keys/a.gpg" }]\n}\n',
    }),
  'image.untrusted': () => {
    const text = '{\n  "default": [{ "type": "reject" }]\n}\n';
    refuseRejected(parsePolicy({ name: 'policy.json', text }), locationIdentity('docker', 'quay.io/team/app:1'));
  },
  'signature.failed': () =>
    openSigstoreKey('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', '', 'app.key'),
  'signature.invalid': () => parseSignatureFile(Buffer.from('<html>'), '/sigs/app@sha256=0a/signature-1'),
  'dockerfile.syntax': () => instructionsOf('FROM a\nRUN <<EOF\necho never ended\n'),
  'dockerfile.unknown-instruction': () => instructionsOf('FROM a\nCOYP package.json .\n'),
  'dockerfile.unknown-flag': () => instructionsOf('FROM a\nCOPY --form=deps /a /b\n'),
  'dockerfile.expansion': () => planOf('ARG TAG=1\nFROM node:${TAG:?}${TAG!} AS x\n'),
  'dockerfile.stage-not-found': () => findTarget(planOf('FROM a AS deps\nFROM b AS app\n'), 'dpes'),
  'dockerfile.lint': () =>
    new BuilderError(
      'dockerfile.lint',
      'the Dockerfile lets lint findings fail the build, and there are: JSONArgsRecommended',
      {
        span: { file: dockerfile('# check=error=true\nFROM a\nCMD run me\n'), start: 26, end: 36 },
        facts: { findings: 1 },
      },
    ),
  'dockerfile.not-found': (place) =>
    readContainerfile({ files: [], contextDir: place, cwd: place, readStdin: () => '' }),
  'ignore.invalid': () => parseIgnoreFile({ name: '.dockerignore', text: 'node_modules\nlogs/[a-\n' }),
  'context.invalid': () => new BuilderError('context.invalid', 'the build context "./nowhere" does not exist'),
  'cache.not-known': (place) => removeCache(engineOfCaches(place), '/root/.npn'),
  'cache.ambiguous': (place) => removeCache(engineOfCaches(place), '/root/.npm'),
  'cache.in-use': (place) => {
    const engine = engineOfCaches(place);
    using _held = FileLock.try(join(place, 'mounts', `${CACHE}.0.lock`), 'exclusive')!;
    return removeCache(engine, CACHE);
  },
  'cache.damaged': () =>
    new BuilderError(
      'cache.damaged',
      `the cache registry.example.org/app:cache promised the layer sha256:${ID}: it has 12 bytes, not 1204`,
    ),
  'build.not-known': (place) => why(engineOfCaches(place), {}),
  'lock.invalid': (place) => readLock(join(place, 'slipway.lock')),
  'lock.missing': async (place) => (await lockedGate(place)).requireFetch('https://example.org/tool.tar.gz', undefined),
  'lock.mismatch': async (place) =>
    (await lockedGate(place)).requireFetch('https://example.org/file', `sha256:${'b'.repeat(64)}`),
  'policy.denied': () => {
    const rule = { action: 'DENY', selector: { identifier: 'docker-image://docker.io/*' } };
    const policy = parseSourcePolicy(JSON.stringify({ rules: [rule] }), 'policy.json');
    applyPolicy(policy, { identifier: 'docker-image://docker.io/library/alpine:latest', attrs: {} });
  },
  'policy.invalid': () => parseSourcePolicy('{ "rules": [{ "action": "REJECT" }] }', 'policy.json'),
  'build.failed': () =>
    new BuilderError(
      'build.failed',
      'the attestation https://slsa.dev/provenance/v1 has 20971521 bytes, more than the limit of 20971520',
    ),
};

/** The error of an example, names of temporary folders as `/place`. */
export async function exampleError(make: MakeError): Promise<unknown> {
  const place = mkdtempSync(join(tmpdir(), 'slipway-example-'));
  try {
    return placeless(await make(place), place);
  } catch (error) {
    return placeless(error, place);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function placeless(error: unknown, place: string): unknown {
  for (let e = error; e instanceof Error; e = e.cause) {
    e.message = e.message.replaceAll(place, '/place');
  }
  return error;
}
