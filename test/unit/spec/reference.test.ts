import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { parseImageName } from '../../../src/spec/image-name.ts';
import { familiarName, formatReference, localReference, parseReference } from '../../../src/spec/reference.ts';

const HEX = 'a'.repeat(64);

describe('parseReference', () => {
  const good: readonly [string, object, string?][] = [
    ['alpine', { registry: undefined, repository: 'alpine' }],
    ['alpine:3.20', { registry: undefined, repository: 'alpine', tag: '3.20' }],
    ['team/app', { registry: undefined, repository: 'team/app' }],
    ['docker.io/alpine', { registry: 'docker.io', repository: 'library/alpine' }, 'docker.io/library/alpine'],
    ['index.docker.io/a/b', { registry: 'docker.io', repository: 'a/b' }, 'docker.io/a/b'],
    ['localhost/x', { registry: 'localhost', repository: 'x' }],
    ['localhost:5000/x:1', { registry: 'localhost:5000', repository: 'x', tag: '1' }],
    ['Quay.IO/a/b', { registry: 'quay.io', repository: 'a/b' }, 'quay.io/a/b'],
    ['[::1]:5000/a', { registry: '[::1]:5000', repository: 'a' }],
    ['host.example:80/a__b/c-d.e', { registry: 'host.example:80', repository: 'a__b/c-d.e' }],
    [`quay.io/a@sha256:${HEX}`, { registry: 'quay.io', repository: 'a', digest: `sha256:${HEX}` }],
    [
      `quay.io/a:tag@sha256:${HEX}`,
      { registry: 'quay.io', repository: 'a', digest: `sha256:${HEX}` },
      `quay.io/a@sha256:${HEX}`,
    ],
  ];
  for (const [text, expected, formatted] of good) {
    it(`reads ${text.slice(0, 40)}`, () => {
      const ref = parseReference(text);
      assert.deepEqual({ ...ref }, expected);
      assert.equal(formatReference(ref), formatted ?? text);
      assert.deepEqual(parseReference(formatReference(ref)), ref);
    });
  }

  // B34: names that are paths, options or control characters somewhere else.
  const bad: readonly [string, RegExp][] = [
    ['', /empty/],
    ['../../x', /path component ".."|not a host name/],
    ['a/../b', /path component ".."/],
    ['-rf', /path component/],
    ['a:..', /a tag is/],
    ['a:', /tag is empty/],
    ['docker.io/%2e%2e', /path component/],
    [`a:${'t'.repeat(300)}`, /longer than 128/],
    ['a\0b', /path component/],
    ['a\nb', /path component/],
    ['a//b', /component is empty/],
    ['a/', /component is empty/],
    ['docker.io/', /component is empty/],
    ['docker.io/Alpine', /lower case/],
    ['host:99999/a', /port 99999/],
    ['-host.example/a', /not a host name/],
    ['a@sha256:abc', /after "@"/],
    [`a@sha256:${'A'.repeat(64)}`, /after "@"/],
    [`a@sha512:${HEX}`, /after "@"/],
    ['a@sha256:../../../../canary', /after "@"/],
    [HEX, /image id/],
    ['x'.repeat(256), /longer than 255/],
    ['x'.repeat(5000), /longer than 4096/],
  ];
  for (const [text, why] of bad) {
    it(`B34 refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => isBuilderError(error, 'reference.invalid') && why.test(error.message) && error.message.length < 500,
      );
    });
  }
});

describe('names for people and for new images', () => {
  it('familiar names leave out what Docker Hub implies', () => {
    const names = ['docker.io/alpine:latest', 'docker.io/a/b:1', 'quay.io/x:latest', 'localhost/x:2'];
    assert.deepEqual(
      names.map((name) => familiarName(parseReference(name))),
      ['alpine', 'a/b:1', 'quay.io/x', 'localhost/x:2'],
    );
  });

  it('a short name made here goes under localhost with the tag latest', () => {
    assert.equal(formatReference(localReference('x')), 'localhost/x:latest');
    assert.equal(formatReference(localReference('quay.io/x:1')), 'quay.io/x:1');
  });
});

describe('parseImageName', () => {
  it('splits transports from plain names', () => {
    const split = (text: string) => Object.values(parseImageName(text));
    assert.deepEqual(split('docker://alpine:1'), ['docker', 'alpine:1']);
    assert.deepEqual(split('oci:dir:ref'), ['oci', 'dir:ref']);
    assert.deepEqual(split('oci-archive:/a.tar'), ['oci-archive', '/a.tar']);
    assert.deepEqual(split('docker-archive:a.tar:x:1'), ['docker-archive', 'a.tar:x:1']);
    assert.deepEqual(split('dir:/x'), ['dir', '/x']);
    assert.deepEqual(split('docker-daemon:x:1'), ['docker-daemon', 'x:1']);
    assert.deepEqual(split('containers-storage:[overlay@/x]y'), ['containers-storage', '[overlay@/x]y']);
    assert.deepEqual(split('docker:latest'), [undefined, 'docker:latest']);
    assert.deepEqual(split('alpine:3'), [undefined, 'alpine:3']);
  });

  it('refuses empty locations and transports of other tools', () => {
    assert.throws(
      () => parseImageName('oci:'),
      (error) => isBuilderError(error, 'reference.invalid'),
    );
    assert.throws(
      () => parseImageName('docker://'),
      (error) => isBuilderError(error, 'reference.invalid'),
    );
    assert.throws(
      () => parseImageName('sif:x'),
      (error) => isBuilderError(error, 'transport.unsupported'),
    );
  });
});
