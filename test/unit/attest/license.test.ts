import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isSingleLicense, joinExpressions, normalizeLicense } from '../../../src/attest/license.ts';

const KNOWN: Readonly<Record<string, string>> = {
  MIT: 'MIT',
  'MIT OR Apache-2.0': 'MIT OR Apache-2.0',
  'GPL-2.0-only WITH Classpath-exception-2.0': 'GPL-2.0-only WITH Classpath-exception-2.0',
  Expat: 'MIT',
  'GPL-2+': 'GPL-2.0-or-later',
  'GPL-3': 'GPL-3.0-only',
  'LGPL-2.1+': 'LGPL-2.1-or-later',
  'GFDL-1.3': 'GFDL-1.3-only',
  GPLv2: 'GPL-2.0-only',
  'LGPLv2+ and MIT': 'LGPL-2.0-or-later AND MIT',
  'GPLv2+ and (MIT or ASL 2.0)': 'GPL-2.0-or-later AND (MIT OR Apache-2.0)',
  'Apache License 2.0': 'Apache-2.0',
  'MIT License': 'MIT',
};

for (const [stated, expression] of Object.entries(KNOWN))
  it(stated, () => assert.deepEqual(normalizeLicense(stated), { expression }));

it('what is not known is kept word for word, each under a name of its own', () => {
  const first = normalizeLicense('Frobnicator (2)');
  const second = normalizeLicense('Frobnicator [2]');
  assert.match(first.expression, /^LicenseRef-Frobnicator-2-[0-9a-f]{12}$/);
  assert.equal(first.extracted, 'Frobnicator (2)');
  assert.notEqual(first.expression, second.expression);
  assert.deepEqual(normalizeLicense('Frobnicator'), { expression: 'LicenseRef-Frobnicator', extracted: 'Frobnicator' });
  assert.match(normalizeLicense('非常').expression, /^LicenseRef-[0-9a-f]{12}$/);
});

it('names of the language are no licences', () => {
  for (const name of ['constructor', '__proto__', 'toString'])
    assert.match(normalizeLicense(name).expression, /^LicenseRef-/);
});

it('a licence text is no expression', () => {
  const text = `${'MIT AND '.repeat(100_000)}MIT`;
  assert.equal(normalizeLicense(text).extracted, text);
});

it('all licences of a package hold together', () => {
  assert.equal(joinExpressions(['MIT', 'MIT']), 'MIT');
  assert.equal(joinExpressions(['MIT', 'BSD-2-Clause OR ISC']), 'MIT AND (BSD-2-Clause OR ISC)');
  assert.equal(joinExpressions([]), undefined);
});

it('one licence of the list is told from an expression', () => {
  assert.equal(isSingleLicense('MIT'), true);
  assert.equal(isSingleLicense('MIT OR ISC'), false);
  assert.equal(isSingleLicense('LicenseRef-x'), false);
});
