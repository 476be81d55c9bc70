import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseModeChange } from '../../../src/rootfs/copy-mode.ts';

const CASES: readonly (readonly [text: string, before: number, isDirectory: boolean, after: number])[] = [
  ['755', 0o600, false, 0o755],
  ['0', 0o600, false, 0],
  ['04755', 0, false, 0o4755],
  ['7777', 0, true, 0o7777],
  ['u=rwX,go=rX', 0o600, false, 0o644],
  ['u=rwX,go=rX', 0o610, false, 0o755],
  ['u=rwX,go=rX', 0o600, true, 0o755],
  ['g=u', 0o640, false, 0o660],
  ['o=g', 0o751, false, 0o755],
  ['+x', 0o644, false, 0o755],
  ['a+x', 0o644, false, 0o755],
  ['-w', 0o666, false, 0o444],
  ['go-rwx', 0o777, false, 0o700],
  ['u+s', 0o755, false, 0o4755],
  ['g+s', 0o755, false, 0o2755],
  ['ug-s', 0o6755, false, 0o755],
  ['+t', 0o777, true, 0o1777],
  ['a=', 0o7777, false, 0],
  ['u=rx', 0o4711, false, 0o511],
  ['u+x-w', 0o644, false, 0o544],
  ['go=u-w', 0o755, false, 0o755],
  ['=r', 0o777, false, 0o444],
];
for (const [text, before, isDirectory, after] of CASES) {
  test(`${text} turns ${before.toString(8)} of a ${isDirectory ? 'directory' : 'file'} into ${after.toString(8)}`, () => {
    assert.equal(
      parseModeChange(text)
        .apply(0o100000 | before, isDirectory)
        .toString(8),
      after.toString(8),
    );
  });
}

test('only octal modes reach made-up parents', () => {
  assert.equal(parseModeChange('0644').octal, 0o644);
  assert.equal(parseModeChange('a=rX').octal, undefined);
});

for (const text of ['', '8', '77777', 'u', 'rwx', 'u=z', 'u+rw,', 'x=r', 'u=rg', '+-q', '0x1ff', '-1']) {
  test(`${JSON.stringify(text)} is no mode`, () =>
    assert.throws(() => parseModeChange(text), { code: 'copy.invalid' }));
}
