import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseVolume } from '../../../src/container/run-volume.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-volume-'));
after(() => rmSync(root, { recursive: true }));
const parse = (options: string) => parseVolume(`${root}:/in${options}`, '/');
const bind = { type: 'bind', source: root, target: '/in', readOnly: false } as const;

describe('options of a volume', () => {
  for (const [options, expected] of [
    ['', { mount: bind, isOwned: false }],
    [':ro,z', { mount: { ...bind, readOnly: true }, isOwned: false }],
    [':rw,Z,cached,nocopy,exec,dev,suid,rbind', { mount: bind, isOwned: false }],
    [':U', { mount: bind, isOwned: true }],
    [':bind,nosuid,noexec', { mount: { ...bind, options: ['norecurse', 'nosuid', 'noexec'] }, isOwned: false }],
    [':rslave', { mount: { ...bind, propagation: 'rslave' }, isOwned: false }],
    [':O', { mount: { type: 'overlay', source: root, target: '/in' }, isOwned: false }],
    [
      `:O,U,upperdir=${root},workdir=${root}`,
      { mount: { type: 'overlay', source: root, target: '/in' }, isOwned: true, kept: { upper: root, work: root } },
    ],
  ] as const) {
    it(`"${options.replaceAll(root, 'DIR')}"`, () => assert.deepEqual(parse(options), expected));
  }

  it('a source may be relative to the working directory', () => {
    assert.deepEqual(parseVolume('.:/in', root).mount, bind);
  });

  for (const [text, why] of [
    [`${root}`, /write SOURCE:TARGET/],
    [`${root}:in`, /must be absolute/],
    [`${root}/absent:/in`, /there is no /],
    [`${root}:/in:maybe`, /unknown option "maybe"/],
    [`${root}:/in:upperdir=${root},workdir=${root}`, /are options of O/],
    [`${root}:/in:O,upperdir=${root}`, /go together/],
    [`${root}:/in:O,upperdir=${root}/absent,workdir=${root}`, /there is no .*absent/],
  ] as const) {
    it(`refuses "${text.replaceAll(root, 'DIR')}"`, () => {
      assert.throws(
        () => parseVolume(text, '/'),
        (error) => isBuilderError(error, 'usage.invalid') && why.test(error.message),
      );
    });
  }
});
