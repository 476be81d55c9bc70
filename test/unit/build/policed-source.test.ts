import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  allowedFetch,
  allowedImage,
  requireFoundAllowed,
  requireLocalAllowed,
} from '../../../src/build/policed-source.ts';
import { parseSourcePolicy } from '../../../src/build/source-policy.ts';
import type { Engine } from '../../../src/container/engine.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const policyOf = (...rules: readonly object[]) => parseSourcePolicy(JSON.stringify({ rules }), 'p.json');
const deny = (identifier: string, more: object = {}) => ({ action: 'DENY', selector: { identifier, ...more } });
const convert = (identifier: string, to: string, attrs: object = {}) => ({
  action: 'CONVERT',
  selector: { identifier },
  updates: { identifier: to, attrs },
});
const isDenied = (source: string) => (error: unknown) =>
  isBuilderError(error, 'policy.denied') && error.facts['source'] === source;

/** No registry configuration but the defaults. */
const engine = { env: { HOME: '/nonexistent' }, registriesConf: '/dev/null' } as unknown as Engine;

describe('what a fetch is called in policies', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['https://example.org/f?x=1', 'https://example.org/f?x=1'],
    ['https://example.org/r.git', 'git://example.org/r.git'],
    ['https://user:pw@example.org/r.git#v1:sub', 'git://example.org/r.git#v1:sub'],
    ['git@example.org:team/r.git#main', 'git://example.org/team/r.git#main'],
    ['ssh://git@example.org/r.git', 'git://example.org/r.git'],
  ];
  for (const [url, identifier] of cases) {
    it(url, () => {
      const policy = policyOf(deny(identifier, { matchType: 'EXACT' }));
      assert.throws(() => allowedFetch(policy, { url, checksum: undefined }), isDenied(identifier));
    });
  }

  it('has its checksum and address as attributes', () => {
    const missing = { constraints: [{ key: 'http.checksum', value: '' }] };
    const policy = policyOf(deny('https://*', missing));
    const url = 'https://example.org/f';
    assert.throws(() => allowedFetch(policy, { url, checksum: undefined }), isDenied(url));
    assert.deepEqual(allowedFetch(policy, { url, checksum: 'sha256:1' }), { url, checksum: 'sha256:1' });
    const plain = { constraints: [{ key: 'git.fullurl', value: '^http:', condition: 'MATCHES' }] };
    const git = policyOf(deny('*', plain));
    assert.throws(() => allowedFetch(git, { url: 'http://a/r.git', checksum: undefined }), isDenied('git://a/r.git'));
    const secure = { url: 'https://a/r.git', checksum: undefined };
    assert.deepEqual(allowedFetch(git, secure), secure);
  });
});

describe('what is fetched instead', () => {
  const cases: readonly (readonly [string, string, object, string, string | undefined])[] = [
    ['a mirror of downloads', 'https://a/f', convert('https://a/*', 'https://m/${1}'), 'https://m/f', undefined],
    [
      'a checksum',
      'https://a/f',
      convert('https://a/f', '', { 'http.checksum': 'sha256:1' }),
      'https://a/f',
      'sha256:1',
    ],
    ['another host', 'https://u:p@a/r.git#x', convert('git://a/*', 'git://m/${1}'), 'https://m/r.git#x', undefined],
    [
      'another ref keeps how it is reached',
      'git@a:r.git#x',
      convert('git://a/r.git#*', 'git://a/r.git#v2'),
      'git@a:r.git#v2',
      undefined,
    ],
    [
      'a full address',
      'https://a/r.git#x',
      convert('git://a/r.git*', '', { 'git.fullurl': 'ssh://git@m/r.git' }),
      'ssh://git@m/r.git#x',
      undefined,
    ],
    [
      'a commit',
      'https://a/r.git',
      convert('git://a/r.git', '', { 'git.checksum': 'abc1234' }),
      'https://a/r.git',
      'abc1234',
    ],
  ];
  for (const [name, url, rule, expected, checksum] of cases) {
    it(name, () => {
      assert.deepEqual(allowedFetch(policyOf(rule), { url, checksum: undefined }), { url: expected, checksum });
    });
  }

  it('never something of another kind', () => {
    for (const to of ['docker-image://docker.io/x', 'file:///etc/passwd']) {
      assert.throws(
        () => allowedFetch(policyOf(convert('https://a/f', to)), { url: 'https://a/f', checksum: undefined }),
        (error) => isBuilderError(error, 'policy.invalid') && /source of another kind/.test(error.message),
      );
    }
  });
});

describe('images', () => {
  it('are judged by their full names', () => {
    const policy = policyOf(deny('docker-image://docker.io/library/alpine:latest', { matchType: 'EXACT' }));
    assert.throws(
      () => allowedImage(engine, policy, 'docker.io/library/alpine'),
      isDenied('docker-image://docker.io/library/alpine:latest'),
    );
    assert.equal(allowedImage(engine, policy, 'docker.io/library/alpine:3'), 'docker.io/library/alpine:3');
  });

  it('become other images and layouts', () => {
    const policy = policyOf(
      convert('docker-image://docker.io/*', 'docker-image://m.example/${1}'),
      convert('docker-image://quay.io/*', 'oci-layout:///images/${1}'),
      convert('docker-image://gcr.io/*', 'https://example.org/${1}'),
    );
    assert.equal(allowedImage(engine, policy, 'docker.io/library/a:1'), 'm.example/library/a:1');
    assert.equal(allowedImage(engine, policy, 'quay.io/a:1'), 'oci:/images/a:1');
    assert.throws(() => allowedImage(engine, policy, 'gcr.io/a:1'), /source of another kind/);
  });

  it('of layouts and archives have names, too', () => {
    assert.throws(
      () => allowedImage(engine, policyOf(deny('oci-layout://*')), 'oci:/a:b'),
      isDenied('oci-layout:///a:b'),
    );
    const archives = policyOf(deny('docker-archive://*'));
    assert.throws(() => allowedImage(engine, archives, 'docker-archive:/a.tar'), isDenied('docker-archive:///a.tar'));
  });
});

it('local directories are allowed or denied, nothing else', () => {
  requireLocalAllowed(policyOf(deny('local://other')), 'context');
  assert.throws(() => requireLocalAllowed(policyOf(deny('local://*')), 'context'), isDenied('local://context'));
  assert.throws(
    () => requireLocalAllowed(policyOf(convert('local://context', 'https://a/b.tar')), 'context'),
    /source of another kind/,
  );
});

it('an image that is found is judged by the names it has', () => {
  const policy = policyOf(deny('*alpine*'));
  const alpine = 'docker.io/library/alpine:3';
  const isAlpine = isDenied(`docker-image://${alpine}`);
  assert.throws(() => requireFoundAllowed(policy, 'abc123', { name: '', names: ['localhost/a:1', alpine] }), isAlpine);
  assert.throws(() => requireFoundAllowed(policy, 'a', { name: alpine, names: [] }), isAlpine);
  requireFoundAllowed(policy, 'a', { name: 'localhost/a:1', names: [alpine] });
  requireFoundAllowed(policy, 'oci:/alpine', { name: 'localhost/alpine:latest', names: [] });
});
