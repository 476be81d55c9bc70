import assert from 'node:assert/strict';
import { it } from 'node:test';
import { distroQualifier, formatPurl, imagePurl, npmPurl, type PurlParts } from '../../../src/attest/purl.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const FORMS: readonly (readonly [PurlParts, string])[] = [
  [
    {
      type: 'deb',
      namespace: 'Debian',
      name: 'attr',
      version: '1:2.4.47-2+b1',
      qualifiers: { distro: 'debian-12', arch: 'amd64', upstream: undefined },
    },
    'pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64&distro=debian-12',
  ],
  [{ type: 'pypi', name: 'Django_Package', version: '1.11.1.dev1' }, 'pkg:pypi/django-package@1.11.1.dev1'],
  [
    { type: 'golang', namespace: 'github.com/Foo', name: 'Bar', version: 'v1.0.0' },
    'pkg:golang/github.com/foo/bar@v1.0.0',
  ],
  [{ type: 'maven', namespace: 'org.Apache', name: 'Core', version: '1' }, 'pkg:maven/org.Apache/Core@1'],
  [{ type: 'generic', name: "a b/'(c)*", version: '' }, 'pkg:generic/a%20b%2F%27%28c%29%2A'],
  [{ type: 'generic', namespace: '/a//b/', name: 'c', subpath: './d/../e' }, 'pkg:generic/a/b/c#d/e'],
  [
    { type: 'rpm', namespace: 'Fedora', name: 'Foo', version: '1-2', qualifiers: { epoch: '1' } },
    'pkg:rpm/fedora/Foo@1-2?epoch=1',
  ],
];

for (const [parts, expected] of FORMS) it(expected, () => assert.equal(formatPurl(parts), expected));

it('a scope of npm is a namespace', () => {
  assert.equal(npmPurl('@babel/core', '7.0.0'), 'pkg:npm/%40babel/core@7.0.0');
  assert.equal(npmPurl('left-pad', '1.3.0'), 'pkg:npm/left-pad@1.3.0');
});

const IMAGES: readonly (readonly [string, string])[] = [
  ['alpine', 'pkg:docker/alpine@latest?platform=linux%2Famd64'],
  ['docker.io/library/alpine:3.20', 'pkg:docker/alpine@3.20?platform=linux%2Famd64'],
  ['docker.io/moby/buildkit:v1', 'pkg:docker/moby/buildkit@v1?platform=linux%2Famd64'],
  ['ghcr.io/a/b/c:1', 'pkg:docker/ghcr.io/a/b/c@1?platform=linux%2Famd64'],
  [`alpine@${DIGEST}`, `pkg:docker/alpine?digest=${DIGEST}&platform=linux%2Famd64`],
  [`alpine:3@${DIGEST}`, `pkg:docker/alpine@3?digest=${DIGEST}&platform=linux%2Famd64`],
];

for (const [reference, expected] of IMAGES)
  it(`image ${reference}`, () => assert.equal(imagePurl(reference, { os: 'linux', architecture: 'x86_64' }), expected));

it('a distribution without a version is named by its codename', () => {
  assert.equal(distroQualifier({ id: 'debian', codename: 'sid' }), 'debian-sid');
  assert.equal(distroQualifier({ id: 'debian', versionId: '12', codename: 'bookworm' }), 'debian-12');
  assert.equal(distroQualifier({ id: 'arch' }), 'arch');
  assert.equal(distroQualifier(undefined), undefined);
});
