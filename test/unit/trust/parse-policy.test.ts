import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { loadPolicy } from '../../../src/trust/load-policy.ts';
import { parsePolicy } from '../../../src/trust/parse-policy.ts';

const policy = (text: string) => parsePolicy({ name: 'policy.json', text });
const ACCEPT = '[{"type":"insecureAcceptAnything"}]';

/** Message and the text the error points at. */
function faultOf(text: string): [string, string] {
  try {
    policy(text);
  } catch (error) {
    assert.ok(isBuilderError(error, 'trust.invalid'), String(error));
    const { span, message } = error;
    return [message.replace('the signature policy policy.json', ''), text.slice(span?.start, span?.end)];
  }
  return ['accepted', ''];
}

const wrapped = (requirement: string): string => `{\n"default": [\n${requirement}\n]}`;

describe('a policy', () => {
  it('keeps requirements by transport and scope', () => {
    const { default: all, transports } = policy(
      `{"default":[{"type":"reject"}],"transports":{"docker":{"":${ACCEPT},"quay.io/x":[{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/a","/b"],"signedIdentity":{"type":"remapIdentity","prefix":"quay.io/x","signedPrefix":"example.com:5000"}}]}}}`,
    );
    assert.deepEqual(all, [{ type: 'reject', path: ['default', 0] }]);
    assert.deepEqual(transports.get('docker')?.get('quay.io/x'), [
      {
        type: 'signedBy',
        keys: { paths: ['/a', '/b'] },
        identity: { type: 'remapIdentity', prefix: 'quay.io/x', signedPrefix: 'example.com:5000' },
        path: ['transports', 'docker', 'quay.io/x', 0],
      },
    ]);
  });

  it('may name what nothing here checks: only images under it are refused', () => {
    const types = [
      '{"type":"signedBy","keyType":"X509Certificates","keyPath":"/k"}',
      '{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}',
      '{"type":"sigstoreSigned","fulcio":{"caPath":"/ca"},"rekorPublicKeyPath":"/r"}',
      '{"type":"sigstoreSigned","keyPath":"/k","rekorPublicKeyData":"aGk="}',
      '{"type":"sigstoreSigned","pki":{"caRootsPath":"/ca"}}',
    ].map((text) => policy(wrapped(text)).default[0]);
    assert.deepEqual(
      types.map((requirement) => requirement?.type === 'unsupported' && requirement.what),
      ['keyType X509Certificates', 'signedBaseLayer', 'fulcio', 'rekorPublicKeyData', 'pki'],
    );
  });
});

describe('a malformed policy is refused with line, key and place', () => {
  const cases: readonly [string, RegExp, string][] = [
    ['', /^:1 cannot be used: it is not JSON/, ''],
    ['{"default":\n  [}', /^:2 cannot be used: it is not JSON: Unexpected token/, '}'],
    [`{"default":${ACCEPT},\n"default":${ACCEPT}}`, /^:2 cannot be used: key "default" appears twice/, '"'],
    ['[]', /^:1 cannot be used: expected an object/, '[]'],
    ['{}', /^:1 cannot be used: key default: it is missing/, '{}'],
    ['{"default":[]}', /key default: the list of requirements is empty/, '"default"'],
    [`{"default":${ACCEPT},\n "defaults": 1}`, /^:2 cannot be used: key defaults: it is not known/, '"defaults"'],
    [`{"default":${ACCEPT},\n"transports":[]}`, /^:2 .*key transports: expected an object/, '"transports"'],
    [wrapped('{}'), /^:3 cannot be used: key default\[0\]\.type: it is missing/, '{}'],
    [
      wrapped('{"type":"accept"}'),
      /^:3 .*key default\[0\]\.type: "accept" is none of insecureAcceptAnything/,
      '"type"',
    ],
    [wrapped('{"type":"reject","x":1}'), /key default\[0\]\.x: it is not known/, '"x"'],
    [
      wrapped('{"type":"signedBy","keyPath":"/k"}'),
      /key default\[0\]\.keyType: it is missing/,
      '{"type":"signedBy","keyPath":"/k"}',
    ],
    [wrapped('{"type":"signedBy","keyType":"PGP","keyPath":"/k"}'), /\.keyType: "PGP" is not GPGKeys/, '"keyType"'],
    [wrapped('{"type":"signedBy","keyType":"GPGKeys"}'), /one of keyPath, keyPaths, keyData is needed/, '"type"'],
    [
      wrapped('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyData":"aGk="}'),
      /keyData: it cannot stand beside keyPath/,
      '"keyData"',
    ],
    [wrapped('{"type":"signedBy","keyType":"GPGKeys","keyData":"a b"}'), /keyData: expected base64/, '"keyData"'],
    [
      wrapped('{"type":"signedBy","keyType":"GPGKeys","keyPaths":[]}'),
      /keyPaths: expected a list of strings/,
      '"keyPaths"',
    ],
    [wrapped('{"type":"signedBy","keyType":"GPGKeys","keyDatas":["aGk="]}'), /one of keyPath/, '"type"'],
    [wrapped('{"type":"sigstoreSigned"}'), /one of keyPath, keyPaths, keyData, keyDatas is needed/, '"type"'],
    [
      wrapped('{"type":"sigstoreSigned","keyPath":"/k","fulcio":{}}'),
      /fulcio: it cannot stand beside keyPath/,
      '"fulcio"',
    ],
    [
      wrapped('{"type":"sigstoreSigned","keyPath":"/k","rekorPublicKeyPath":"/r","rekorPublicKeyData":"aGk="}'),
      /rekorPublicKeyData: it cannot stand beside rekorPublicKeyPath/,
      '"rekorPublicKeyData"',
    ],
    [
      wrapped('{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"any"}}'),
      /signedIdentity\.type: "any" is none of matchExact/,
      '"type"',
    ],
    [
      wrapped('{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"matchExact","prefix":"a"}}'),
      /signedIdentity\.prefix: it is not known/,
      '"prefix"',
    ],
    [
      wrapped(
        '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"quay.io/x"}}',
      ),
      /has neither tag nor digest/,
      '"dockerReference"',
    ],
    [
      wrapped(
        '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"exactRepository","dockerRepository":"A b"}}',
      ),
      /is no image name/,
      '"dockerRepository"',
    ],
    [
      wrapped(
        '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a/b:tag","signedPrefix":"c"}}',
      ),
      /"a\/b:tag" is no registry or beginning/,
      '"prefix"',
    ],
    [
      `{"default":${ACCEPT},"transports":{"docker":{"x/*/y":${ACCEPT}}}}`,
      /key transports\.docker\["x\/\*\/y"\]: a scope of this transport is an image name/,
      '"x/*/y"',
    ],
    [`{"default":${ACCEPT},"transports":{"dir":{"/":${ACCEPT}}}}`, /use the scope ""/, '"/"'],
    [`{"default":${ACCEPT},"transports":{"oci":{"/a/../b":${ACCEPT}}}}`, /not in its plain form/, '"/a/../b"'],
    [
      `{"default":${ACCEPT},"transports":{"docker-archive":{"/a":${ACCEPT}}}}`,
      /docker-archive has no scope but ""/,
      '"/a"',
    ],
    [`{"default":${ACCEPT},"transports":{"containers-storage":{"x":${ACCEPT}}}}`, /begins with \[DRIVER@/, '"x"'],
  ];
  for (const [text, message, place] of cases) {
    it(text.replaceAll('\n', ' ').slice(0, 90) || 'an empty file', () => {
      const [said, pointed] = faultOf(text);
      assert.match(said, message);
      assert.equal(pointed, place);
    });
  }
});

describe('finding the policy', () => {
  it('takes the named file, that of the environment, that of the user, in this order', () => {
    const home = mkdtempSync(join(tmpdir(), 'slipway-policy-'));
    try {
      mkdirSync(join(home, '.config/containers'), { recursive: true });
      const [named, own] = [join(home, 'named.json'), join(home, '.config/containers/policy.json')];
      for (const file of [named, own, join(home, 'env.json')]) writeFileSync(file, `{"default":${ACCEPT}}`);
      const env = { HOME: home };
      const other = { ...env, CONTAINERS_POLICY_JSON: join(home, 'env.json') };
      assert.equal(loadPolicy({ env }).file.name, own);
      assert.equal(loadPolicy({ env: other }).file.name, join(home, 'env.json'));
      assert.equal(loadPolicy({ env: other, path: named }).file.name, named);
      writeFileSync(own, '{');
      assert.throws(
        () => loadPolicy({ env }),
        (error) => isBuilderError(error, 'trust.invalid'),
      );
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it('refuses to go without a policy, and says how to make one', () => {
    assert.throws(
      () => loadPolicy({ env: { HOME: '/nowhere' }, systemFolders: ['/nowhere/etc'] }),
      (error) => {
        assert.ok(isBuilderError(error, 'trust.invalid'));
        assert.match(error.message, /none of \/nowhere\/.config\/containers\/policy.json, \/nowhere\/etc\/containers/);
        assert.match(error.hint ?? '', /insecureAcceptAnything/);
        return true;
      },
    );
  });

  it('refuses a named file that is not there', () => {
    assert.throws(() => loadPolicy({ path: '/nowhere/policy.json' }), /\/nowhere\/policy\.json .*it does not exist/);
    assert.throws(() => loadPolicy({ env: { CONTAINERS_POLICY_JSON: '/nowhere/p' } }), /\/nowhere\/p .*does not exist/);
  });
});
