import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyPolicy, parseSourcePolicy } from '../../../src/build/source-policy.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

type Attrs = Readonly<Record<string, string>>;

const policyOf = (...rules: readonly object[]) => parseSourcePolicy(JSON.stringify({ version: 1, rules }), 'p.json');
const BUSYBOX = 'docker-image://docker.io/library/busybox:1.36';

function result(rules: readonly object[], identifier: string, attrs: Attrs = {}): unknown {
  try {
    return applyPolicy(policyOf(...rules), { identifier, attrs });
  } catch (error) {
    assert.ok(isBuilderError(error, 'policy.denied'), String(error));
    return error.facts['rule'];
  }
}

const rule = (action: string, identifier: string, more: object = {}, updates?: object) => ({
  action,
  selector: { identifier, ...more },
  ...(updates === undefined ? {} : { updates }),
});

describe('which sources a rule fits', () => {
  const cases: readonly (readonly [string, object, string, Attrs, boolean])[] = [
    ['exactly', rule('DENY', BUSYBOX, { matchType: 'EXACT' }), BUSYBOX, {}, true],
    ['exactly, stars are stars', rule('DENY', 'docker-image://*', { matchType: 'EXACT' }), BUSYBOX, {}, false],
    ['wildcards by default', rule('DENY', 'docker-image://docker.io/*'), BUSYBOX, {}, true],
    ['a wildcard crosses slashes and may be empty', rule('DENY', '*busybox:1.36*'), BUSYBOX, {}, true],
    ['wildcards take the whole', rule('DENY', 'docker-image://docker.io/library'), BUSYBOX, {}, false],
    ['dots and brackets are themselves', rule('DENY', 'https://a.b/[x]*'), 'https://aXb/x', {}, false],
    ['question marks are themselves', rule('DENY', 'https://a/?x=*'), 'https://a/?x=1', {}, true],
    ['a regular expression anywhere', rule('DENY', 'busy.ox', { matchType: 'REGEX' }), BUSYBOX, {}, true],
    ['a regular expression with flags', rule('DENY', '(?i)BUSYBOX', { matchType: 'REGEX' }), BUSYBOX, {}, true],
    ['named groups', rule('DENY', '(?P<tag>1\\.36)$', { matchType: 'REGEX' }), BUSYBOX, {}, true],
    ['numbers for names', { action: 1, selector: { identifier: BUSYBOX, matchType: 1 } }, BUSYBOX, {}, true],
    ['the field name of protocol buffers', rule('DENY', 'docker', { match_type: 'REGEX' }), BUSYBOX, {}, true],
    [
      'a constraint that holds',
      rule('DENY', '*', { constraints: [{ key: 'http.checksum', value: 'x' }] }),
      'https://a',
      { 'http.checksum': 'x' },
      true,
    ],
    [
      'a constraint that does not',
      rule('DENY', '*', { constraints: [{ key: 'http.checksum', value: 'x' }] }),
      'https://a',
      {},
      false,
    ],
    [
      'what must not be',
      rule('DENY', 'https://*', { constraints: [{ key: 'http.checksum', value: '', condition: 'EQUAL' }] }),
      'https://a',
      {},
      true,
    ],
    [
      'another value',
      rule('DENY', '*', { constraints: [{ key: 'k', value: 'x', condition: 'NOTEQUAL' }] }),
      'https://a',
      { k: 'x' },
      false,
    ],
    [
      'a value by expression',
      rule('DENY', '*', { constraints: [{ key: 'k', value: '^sha', condition: 'MATCHES' }] }),
      'https://a',
      { k: 'sha256:' },
      true,
    ],
    [
      'all constraints',
      rule('DENY', '*', {
        constraints: [
          { key: 'k', value: 'x' },
          { key: 'l', value: 'y' },
        ],
      }),
      'https://a',
      { k: 'x' },
      false,
    ],
  ];
  for (const [name, denying, identifier, attrs, fits] of cases) {
    it(name, () => assert.deepEqual(result([denying], identifier, attrs), fits ? 1 : { identifier, attrs }));
  }
});

describe('what a policy decides', () => {
  it('the last of ALLOW and DENY that fits', () => {
    assert.equal(result([rule('ALLOW', BUSYBOX), rule('DENY', '*')], BUSYBOX), 2);
    assert.deepEqual(result([rule('DENY', '*'), rule('ALLOW', BUSYBOX)], BUSYBOX), { identifier: BUSYBOX, attrs: {} });
  });

  it('what no rule fits is allowed', () => {
    assert.deepEqual(result([rule('DENY', 'https://*')], BUSYBOX), { identifier: BUSYBOX, attrs: {} });
  });

  it('names the rule and the source', () => {
    assert.throws(
      () => applyPolicy(policyOf(rule('ALLOW', '*'), rule('DENY', '*busy*')), { identifier: BUSYBOX, attrs: {} }),
      { message: `the source ${BUSYBOX} is denied by rule 2 of the source policy p.json` },
    );
  });

  it('a converted source is judged again', () => {
    const convert = rule('CONVERT', BUSYBOX, {}, { identifier: 'docker-image://evil/x:1' });
    assert.equal(result([convert, rule('DENY', 'docker-image://evil/*')], BUSYBOX), 2);
  });

  it('a conversion that changes nothing decides nothing', () => {
    const same = rule('CONVERT', BUSYBOX, {}, { identifier: BUSYBOX });
    assert.equal(result([same, rule('DENY', '*')], BUSYBOX), 2);
  });

  it('conversions that never end are a mistake of the policy', () => {
    const there = rule('CONVERT', 'a', { matchType: 'EXACT' }, { identifier: 'b' });
    const back = rule('CONVERT', 'b', { matchType: 'EXACT' }, { identifier: 'a' });
    assert.throws(
      () => applyPolicy(policyOf(there, back), { identifier: 'a', attrs: {} }),
      (error) => isBuilderError(error, 'policy.invalid') && /more than 20 times/.test(error.message),
    );
  });
});

describe('what a source is converted to', () => {
  const to = (identifier: string, attrs: Attrs = {}) => ({ identifier, attrs });
  const cases: readonly (readonly [string, object, string, object])[] = [
    ['another name', rule('CONVERT', BUSYBOX, {}, to('docker-image://x/y:1')), BUSYBOX, to('docker-image://x/y:1')],
    [
      'what the stars stood for',
      rule('CONVERT', 'docker-image://docker.io/*:*', {}, to('docker-image://mirror/${1}:$2-slim')),
      'docker-image://docker.io/library/go:1',
      to('docker-image://mirror/library/go:1-slim'),
    ],
    [
      'groups of an expression',
      rule(
        'CONVERT',
        '^docker-image://docker\\.io/(?P<name>.*)$',
        { matchType: 'REGEX' },
        to('docker-image://m/${name}'),
      ),
      BUSYBOX,
      to('docker-image://m/library/busybox:1.36'),
    ],
    [
      'dollars',
      rule('CONVERT', 'https://a/*', { matchType: 'WILDCARD' }, to('https://b/$$x$9')),
      'https://a/1',
      to('https://b/$x'),
    ],
    [
      'a template is taken literally for EXACT',
      rule('CONVERT', 'https://a/1', { matchType: 'EXACT' }, to('https://b/$1')),
      'https://a/1',
      to('https://b/$1'),
    ],
    [
      'attributes alone',
      rule('CONVERT', 'https://a/1', {}, { attrs: { 'http.checksum': 'sha256:x' } }),
      'https://a/1',
      to('https://a/1', { 'http.checksum': 'sha256:x' }),
    ],
  ];
  for (const [name, converting, identifier, expected] of cases) {
    it(name, () => assert.deepEqual(result([converting], identifier), expected));
  }
});

describe('refused as a policy', () => {
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['no object', [], /the file is not an object/],
    ['no rules', {}, /rules is missing/],
    ['another version', { version: 2, rules: [] }, /version is not 1/],
    ['a misspelt key', { rules: [{ ...rule('DENY', 'x'), selectors: {} }] }, /rules\[0\] has "selectors"/],
    ['an unknown action', { rules: [rule('REJECT', 'x')] }, /rules\[0\]\.action is "REJECT", not one of ALLOW, DENY/],
    ['no selector', { rules: [{ action: 'DENY' }] }, /rules\[0\]\.selector is missing/],
    ['no identifier', { rules: [{ action: 'DENY', selector: {} }] }, /selector\.identifier is missing/],
    ['an unknown match type', { rules: [rule('DENY', 'x', { matchType: 'GLOB' })] }, /matchType is "GLOB"/],
    ['two stars', { rules: [rule('DENY', 'x**')] }, /"\*\*", which is no wildcard/],
    ['a bad expression', { rules: [rule('DENY', '(', { matchType: 'REGEX' })] }, /is no regular expression: "\("/],
    ['a conversion to nothing', { rules: [rule('CONVERT', 'x')] }, /rules\[0\]\.updates is missing/],
    [
      'an attribute nobody reads',
      { rules: [rule('CONVERT', 'x', {}, { attrs: { 'http.check': 'y' } })] },
      /"http\.check", which is not known; it may have http\.checksum/,
    ],
  ];
  for (const [name, document, message] of cases) {
    it(name, () => {
      assert.throws(
        () => parseSourcePolicy(JSON.stringify(document), 'p.json'),
        (error) => isBuilderError(error, 'policy.invalid') && message.test(error.message),
      );
    });
  }
});
