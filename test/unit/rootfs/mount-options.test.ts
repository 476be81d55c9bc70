import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { type MountOptions, parseMountOptions } from '../../../src/rootfs/mount-options.ts';
import { MS } from '../../../src/sys/libc.ts';

const TABLE: readonly [string, MountOptions][] = [
  ['', { flags: 0, overlay: [] }],
  ['nodev', { flags: MS.NODEV, overlay: [] }],
  ['nodev, nosuid,noexec', { flags: MS.NODEV | MS.NOSUID | MS.NOEXEC, overlay: [] }],
  ['nodev,nosuid,dev', { flags: MS.NOSUID, overlay: [] }],
  ['relatime,strictatime', { flags: MS.STRICTATIME, overlay: [] }],
  ['strictatime,noatime', { flags: 0, overlay: [] }],
  ['rw,defaults,metacopy=off,redirect_dir=nofollow,index=off,volatile', { flags: 0, overlay: [] }],
  ['xino=on,nodev,xino=off', { flags: MS.NODEV, overlay: ['xino=off'] }],
];

/** text, code, what the message or the hint must say */
const REFUSED: readonly [string, string, RegExp][] = [
  ['metacopy=on', 'usage.unsupported', /the mount option metacopy=on of storage is not supported: an upper directory/],
  ['nodev,ro', 'usage.unsupported', /mount option ro .* containers are written to/],
  ['nosiud', 'usage.invalid', /did you mean `nosuid`/],
  ['lowerdir=/etc', 'usage.invalid', /"lowerdir=\/etc" is no mount option that storage could carry/],
  ['constructor', 'usage.invalid', /is no mount option/],
];

describe('options of mounts', () => {
  for (const [text, expected] of TABLE) {
    it(`\`${text}\``, () => assert.deepEqual(parseMountOptions(text), expected));
  }
  for (const [text, code, why] of REFUSED) {
    it(`refuses \`${text}\`, unless it stands in a file for many tools`, () => {
      assert.throws(
        () => parseMountOptions(text),
        (error) => isBuilderError(error, code as 'usage.invalid') && why.test(`${error.message} ${error.hint ?? ''}`),
      );
      assert.equal(parseMountOptions(`${text},nosuid`, { lenient: true }).flags & MS.NOSUID, MS.NOSUID);
      assert.deepEqual(parseMountOptions(text, { lenient: true }).overlay, []);
    });
  }
});
