/** What a hostile registry says to a `pull`, each lie as a value: what the registry does, what the client must answer. */
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { ErrorCode } from '../../src/report/error-codes.ts';
import { digestOf } from '../../src/spec/digest.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { type SeenRequest, specError } from './fake-registry.ts';
import { type HostileRegistry, REGISTRY } from './hostile-registry.ts';

export interface Lie {
  readonly name: string;
  tell(registry: HostileRegistry): void;
  /** What the client must say; undefined where it must see through the lie and succeed. */
  readonly error?: { readonly code: ErrorCode; readonly says: RegExp };
  /** What the message must name beside the registry: a tag, a digest. */
  readonly object?: (registry: HostileRegistry) => string;
}

const isManifest = (seen: SeenRequest): boolean => seen.host === REGISTRY && seen.path.includes('/manifests/');
const isBlob = (seen: SeenRequest): boolean =>
  seen.host === REGISTRY && seen.method === 'GET' && seen.path.includes('/blobs/sha256');
const layerOf = (r: HostileRegistry): string => r.image.manifest.layers[0]!.digest;
const configOf = (r: HostileRegistry): string => r.image.manifest.config.digest;
const isLayer = (r: HostileRegistry, seen: SeenRequest): boolean => isBlob(seen) && seen.path.endsWith(layerOf(r));
const theTag = (): string => ' x ';

/** The manifest with one text in it replaced. */
function edited(name: string, from: (r: HostileRegistry) => string, to: string, says: RegExp): Lie {
  return {
    name,
    tell: (r) => r.give(r.image.raw.toString().replace(from(r), to)),
    error: { code: 'manifest.invalid', says },
    object: theTag,
  };
}

function redirected(name: string, location: string, says: RegExp): Lie {
  return {
    name,
    tell: (r) =>
      r.trick((seen, response) => {
        if (!isLayer(r, seen)) return false;
        response.writeHead(307, { location }).end();
        return true;
      }),
    error: { code: 'registry.request-failed', says },
  };
}

function realm(name: string, header: string, says: RegExp): Lie {
  return {
    name,
    tell: (r) =>
      r.trick((seen, response) => {
        if (seen.host !== REGISTRY) return false;
        response.writeHead(401, { 'www-authenticate': header }).end();
        return true;
      }),
    error: { code: 'registry.request-failed', says },
  };
}

/** Answers to the first requests for a layer; the rest is answered truly. */
function firstAnswers(name: string, answer: (response: ServerResponse, content: Buffer) => void, count = 1): Lie {
  return {
    name,
    tell: (r) => {
      let left = count;
      r.trick((seen, response) => {
        if (!isLayer(r, seen) || left-- <= 0) return false;
        answer(response, r.blob(layerOf(r)));
        return true;
      });
    },
  };
}

function layerAnswer(name: string, answer: (r: HostileRegistry, response: ServerResponse) => void, says: RegExp): Lie {
  return {
    name,
    tell: (r) =>
      r.trick((seen, response) => {
        if (!isLayer(r, seen)) return false;
        answer(r, response);
        return true;
      }),
    error: { code: 'blob.digest-mismatch', says },
    object: layerOf,
  };
}

function manifestAnswer(
  name: string,
  answer: (r: HostileRegistry, response: ServerResponse) => void,
  code: ErrorCode,
  says: RegExp,
  object: Lie['object'] = theTag,
): Lie {
  return {
    name,
    tell: (r) =>
      r.trick((seen, response) => {
        if (!isManifest(seen)) return false;
        answer(r, response);
        return true;
      }),
    error: { code, says },
    ...(object === undefined ? {} : { object }),
  };
}

function tokenAnswer(name: string, answer: (r: HostileRegistry, response: ServerResponse) => void, says: RegExp): Lie {
  return {
    name,
    tell: (r) =>
      r.trick((seen, response) => {
        if (seen.path.startsWith('/token')) answer(r, response);
        else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${REGISTRY}/token"` }).end();
        return true;
      }),
    error: { code: 'registry.request-failed', says },
  };
}

function config(name: string, content: (r: HostileRegistry) => string, says: RegExp): Lie {
  return {
    name,
    tell: (r) => {
      const bytes = Buffer.from(content(r));
      const { digest, size } = r.addBlob(bytes);
      r.give({ ...r.image.manifest, config: { ...r.image.manifest.config, digest, size } });
    },
    error: { code: 'manifest.invalid', says },
    object: (r) => digestOf(Buffer.from(content(r))),
  };
}

const truthfulConfig = (r: HostileRegistry): string => r.blob(configOf(r)).toString();

function nested(depth: number): Lie {
  return {
    name: `B40 an index inside an index, ${depth} deep`,
    tell: (r) => {
      let child: object = { mediaType: MEDIA.ociManifest, digest: r.image.descriptor.digest, size: r.image.raw.length };
      for (let i = 0; i < depth; i++) {
        const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [child] };
        child = r.addManifest(index, MEDIA.ociIndex);
        r.give(index, MEDIA.ociIndex);
      }
    },
    error: { code: 'manifest.invalid', says: /nested more than/ },
    object: () => ' sha256:',
  };
}

function busy(name: string, headers: Record<string, string>, status = 429): Lie {
  return firstAnswers(name, (response) => void response.writeHead(status, headers).end());
}

/** Every lie, told to a `pull`. */
export const LIES: readonly Lie[] = [
  // Digests and names as paths.
  ...['sha256:../../../../canary', 'sha256:', 'SHA256:ABC', 'md5:../x', `sha256:${'a'.repeat(63)}`].flatMap(
    (digest) => [
      edited(`B33 a layer of digest ${digest.slice(0, 25)}`, layerOf, digest, /\/layers\/0\/digest/),
      edited(`B33 a config of digest ${digest.slice(0, 25)}`, configOf, digest, /\/config\/digest/),
    ],
  ),
  {
    name: 'B33 an index whose entry has a path for a digest',
    tell: (r) => {
      const entry = { mediaType: MEDIA.ociManifest, digest: 'sha256:../../../../canary', size: 5 };
      r.give({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [entry] }, MEDIA.ociIndex);
    },
    error: { code: 'manifest.invalid', says: /\/manifests\/0\/digest/ },
    object: theTag,
  },
  manifestAnswer(
    'B43 a Docker-Content-Digest that is a path',
    (r, response) => response.writeHead(200, { 'docker-content-digest': '../../canary' }).end(r.image.raw),
    'blob.digest-mismatch',
    /was said to be/,
    () => ' x ',
  ),
  manifestAnswer(
    'B43 a Docker-Content-Digest of something else',
    (r, response) => response.writeHead(200, { 'docker-content-digest': digestOf('else') }).end(r.image.raw),
    'blob.digest-mismatch',
    /was said to be/,
    () => ' x ',
  ),
  // Sizes.
  ...[-1, 2 ** 60, 1.5, '5'].map((size) =>
    edited(
      `B36 a layer of size ${JSON.stringify(size)}`,
      (r) => `"size":${r.image.manifest.layers[0]!.size}`,
      `"size":${JSON.stringify(size)}`,
      /\/layers\/0\/size/,
    ),
  ),
  // Bytes.
  layerAnswer(
    'B35 a layer with one bit flipped',
    (r, response) => {
      const content = Buffer.from(r.blob(layerOf(r)));
      content[20]! ^= 1;
      response.writeHead(200).end(content);
    },
    /digest/,
  ),
  layerAnswer(
    'B36 a layer announced longer than the manifest says',
    (r, response) => response.writeHead(200, { 'content-length': r.blob(layerOf(r)).length + 1 }).end(),
    /announces/,
  ),
  layerAnswer('B37 an endless layer', (r, response) => r.endless(response.writeHead(200)), /longer than/),
  layerAnswer(
    'a layer that ends early and says nothing of its length',
    (r, response) => {
      response.writeHead(200, { connection: 'close' });
      response.end(r.blob(layerOf(r)).subarray(0, 20));
    },
    /ended after 20 of/,
  ),
  {
    ...layerAnswer(
      'a layer cut off in the middle, each time',
      (r, response) => {
        const content = r.blob(layerOf(r));
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 20), () => response.destroy());
      },
      /cannot fetch blob/,
    ),
    error: { code: 'registry.request-failed', says: /cannot fetch blob/ },
  },
  {
    ...layerAnswer(
      'a chunked layer cut off in the middle, each time',
      (r, response) => {
        response.writeHead(200);
        response.write(r.blob(layerOf(r)).subarray(0, 20), () => response.destroy());
      },
      /cannot fetch blob/,
    ),
    error: { code: 'registry.request-failed', says: /cannot fetch blob/ },
  },
  layerAnswer(
    'a layer that claims to be encoded, and is',
    (r, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(r.blob(layerOf(r)), { level: 1 })),
    /longer than|instead of|digest/,
  ),
  firstAnswers('a layer in a hundred thousand tiny chunks', (response, content) => {
    response.writeHead(200);
    for (const byte of content) response.write(Buffer.of(byte));
    response.end();
  }),
  // Directions.
  redirected('B47 a layer at the metadata service', 'http://169.254.169.254/latest', /private address/),
  redirected('B47 a layer at a neighbour’s port', 'http://127.0.0.1:6379/', /private address/),
  redirected('B47 a layer in a local file', 'file:///etc/passwd', /scheme "file:"/),
  redirected('a layer behind a script', 'javascript:alert(1)', /scheme "javascript:"/),
  redirected('a layer behind no URL', 'http://[', /not a URL/),
  {
    ...redirected('B45 a layer on another host that wants a login', 'http://cdn.example/blob?sig=abc', /answered 401/),
    error: { code: 'registry.unauthorized', says: /cdn\.example\/blob\?… answered 401/ },
    object: layerOf,
  },
  {
    ...redirected('B45 a layer on another port that wants a login', `http://${REGISTRY}:8080/blob`, /answered 401/),
    error: { code: 'registry.unauthorized', says: /answered 401/ },
    object: layerOf,
  },
  {
    ...redirected('B45 a layer behind a URL with a login of its own', 'http://bob:hidden@cdn.example/blob', /answered/),
    error: { code: 'registry.unauthorized', says: /cdn\.example\/blob answered 401/ },
    object: layerOf,
  },
  {
    name: 'a layer behind redirects in a circle',
    tell: (r) =>
      r.trick((seen, response) => {
        if (!isLayer(r, seen)) return false;
        response.writeHead(302, { location: seen.path }).end();
        return true;
      }),
    error: { code: 'registry.request-failed', says: /more than 10 redirects/ },
    object: layerOf,
  },
  {
    name: 'a layer behind an endless chain of hosts',
    tell: (r) => {
      let count = 0;
      r.trick((seen, response) => {
        if (!isLayer(r, seen) && !seen.host.startsWith('hop')) return false;
        response.writeHead(302, { location: `http://hop${++count}.example/` }).end();
        return true;
      });
    },
    error: { code: 'registry.request-failed', says: /more than 10 redirects/ },
    object: layerOf,
  },
  {
    name: 'a redirect without a place',
    tell: (r) =>
      r.trick((seen, response) => {
        if (!isLayer(r, seen)) return false;
        response.writeHead(302).end();
        return true;
      }),
    error: { code: 'registry.request-failed', says: /answered 302/ },
    object: layerOf,
  },
  realm('B46 a token realm at the metadata service', 'Bearer realm="http://169.254.169.254/"', /private address/),
  realm('B46 a token realm of another scheme', 'Bearer realm="file:///etc/passwd"', /scheme "file:"/),
  realm('B46 a token realm on another host over plain http', 'Bearer realm="http://auth.example/"', /auth\.example/),
  realm('B46 a token realm that is no URL', 'Bearer realm="token"', /not a URL/),
  realm('a challenge without a realm', 'Bearer service="x"', /not a URL/),
  tokenAnswer(
    'B39 an endless token',
    (r, response) => r.endless(response.writeHead(200)),
    /token answer .* larger than/,
  ),
  tokenAnswer(
    'a token that would add a header',
    (_r, response) => response.writeHead(200).end(JSON.stringify({ token: 'a\r\nX-Evil: 1' })),
    /holds no token/,
  ),
  tokenAnswer(
    'a token answer with the key twice',
    (_r, response) => response.writeHead(200).end('{"token":"a","token":"b"}'),
    /not plain JSON/,
  ),
  tokenAnswer(
    'a token answer of a million brackets',
    (_r, response) => response.writeHead(200).end('['.repeat(1_000_000)),
    /not plain JSON/,
  ),
  tokenAnswer(
    'a token that sends elsewhere',
    (_r, response) => response.writeHead(302, { location: 'http://auth.example/' }).end(),
    /answered 302/,
  ),
  {
    name: 'a token that is never good enough',
    tell: (r) =>
      r.trick((seen, response) => {
        if (seen.path.startsWith('/token')) response.writeHead(200).end('{"token":"abc"}');
        else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${REGISTRY}/token"` }).end();
        return true;
      }),
    error: { code: 'registry.unauthorized', says: /answered 401/ },
    object: () => ' x ',
  },
  // Documents.
  manifestAnswer(
    'B39 a manifest of 6 MiB',
    (_r, response) => response.writeHead(200).end(Buffer.alloc(6 << 20, ' ')),
    'manifest.invalid',
    /larger than 4194304/,
    () => ' x ',
  ),
  manifestAnswer(
    'B39 an endless manifest',
    (r, response) => r.endless(response.writeHead(200)),
    'manifest.invalid',
    /larger than 4194304/,
    () => ' x ',
  ),
  manifestAnswer(
    'B39 an endless error',
    (r, response) => r.endless(response.writeHead(400)),
    'registry.request-failed',
    /answered 400/,
    () => ' x ',
  ),
  manifestAnswer(
    'B40 a manifest of a million brackets',
    (_r, response) => response.writeHead(200, { 'content-type': MEDIA.ociManifest }).end('['.repeat(1_000_000)),
    'manifest.invalid',
    /deep/,
  ),
  nested(5),
  nested(50),
  edited('B41 a manifest with entries too', () => '{', '{"manifests":[],', /both "layers" and "manifests"/),
  edited('B42 a manifest with a key twice', () => '{', '{"layers":[],', /appears twice/),
  edited('B42 a manifest with a key in capitals', () => '{', '{"Layers":[],', /only in case/),
  edited(
    'a manifest of another media type inside',
    () => MEDIA.ociManifest,
    'text/plain',
    /no media type of a manifest/,
  ),
  edited('a manifest cut off', () => ']}', '', /not JSON/),
  {
    name: 'B41 a Content-Type that says index',
    tell: (r) => r.give(r.image.raw, MEDIA.ociIndex),
    error: { code: 'manifest.invalid', says: /declared as/ },
    object: theTag,
  },
  ...['', 'null', '[]', '"x"', '{}'].map(
    (raw): Lie => ({
      name: `a manifest that is ${raw === '' ? 'nothing' : raw}`,
      tell: (r) => r.give(raw),
      error: { code: 'manifest.invalid', says: /manifest/ },
      object: theTag,
    }),
  ),
  {
    name: 'a manifest of Docker schema 1',
    tell: (r) => r.give({ schemaVersion: 1, fsLayers: [], history: [] }, 'application/json'),
    error: { code: 'manifest.invalid', says: /schema version 1/ },
    object: theTag,
  },
  {
    name: 'a manifest of thirty thousand layers',
    tell: (r) =>
      r.give({ ...r.image.manifest, layers: Array.from({ length: 30_000 }, () => r.image.manifest.layers[0]) }),
    error: { code: 'manifest.invalid', says: /larger than|layers/ },
    object: () => 'x',
  },
  manifestAnswer(
    'a manifest behind gzip',
    (r, response) =>
      response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-type': MEDIA.ociManifest })
        .end(gzipSync(r.image.raw)),
    'manifest.invalid',
    /not JSON/,
  ),
  manifestAnswer(
    'B44 a web page for a manifest',
    (_r, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
    'registry.not-a-registry',
    /web page/,
    () => ' x ',
  ),
  manifestAnswer(
    'B65 an error that paints the terminal',
    (_r, response) => specError(response, 400, 'BAD\u001b[2J', 'evil\u001b]0;title\u0007\r\u202e'),
    'registry.request-failed',
    /evil/,
    () => ' x ',
  ),
  manifestAnswer(
    'headers of a megabyte',
    (_r, response) => response.writeHead(200, { 'x-large': 'x'.repeat(1 << 20) }).end('{}'),
    'registry.request-failed',
    /header/i,
    () => ' x ',
  ),
  manifestAnswer(
    'an answer that is not HTTP',
    (_r, response) => void response.socket?.end('hello\r\n\r\n'),
    'registry.request-failed',
    /cannot fetch manifest/,
    () => ' x ',
  ),
  // Configs.
  config('a config that is no JSON', () => 'hello', /not JSON/),
  config('a config with a key twice', (r) => truthfulConfig(r).replace('{', '{"os":"linux",'), /appears twice/),
  config('a config of brackets', () => '['.repeat(500_000), /deep/),
  config('a config without layers', () => '{"architecture":"amd64","os":"linux"}', /rootfs/),
  config(
    'a config that counts fewer layers',
    (r) => truthfulConfig(r).replace(/"diff_ids":\[[^,]*,/, '"diff_ids":['),
    /layers/,
  ),
  config(
    'a config whose DiffID is a path',
    (r) => truthfulConfig(r).replace(/"sha256:[0-9a-f]{64}"/, '"sha256:../x"'),
    /diff_ids\/0/,
  ),
  {
    name: 'a config of 5 MiB',
    tell: (r) => {
      const { digest, size } = r.addBlob(Buffer.alloc(5 << 20, ' '));
      r.give({ ...r.image.manifest, config: { ...r.image.manifest.config, digest, size } });
    },
    error: { code: 'manifest.invalid', says: /5242880 bytes/ },
    object: () => digestOf(Buffer.alloc(5 << 20, ' ')),
  },
  // Storms that end.
  busy('a busy registry that asks for seconds', { 'retry-after': '0' }),
  busy('a busy registry that asks for nonsense', { 'retry-after': 'soon' }),
  busy('a busy registry that names a date long past', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }),
  ...[500, 502, 503, 504].map((status) => busy(`a passing ${status}`, {}, status)),
  firstAnswers('a layer whose connection is reset', (response, content) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 20), () => response.socket?.resetAndDestroy());
  }),
];
