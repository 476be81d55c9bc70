import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSourceKind } from '../../../src/dockerfile/add-source.ts';
import { parseByteSize, splitCsv } from '../../../src/dockerfile/csv.ts';
import { expandText } from '../../../src/dockerfile/expand.ts';
import { fragmentOf } from '../../../src/dockerfile/fragment.ts';
import { parseGoDuration } from '../../../src/dockerfile/go-duration.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { parsePort } from '../../../src/dockerfile/ports.ts';
import { isSignal } from '../../../src/dockerfile/signals.ts';
import { replacePattern } from '../../../src/dockerfile/substitution-pattern.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const csv = (text: string) => splitCsv(fragmentOf({ name: 'x', text }, 0, text.length)).map((field) => field.text);

test('comma-separated fields may be quoted', () => {
  assert.deepEqual(csv('a=b,"c=d,""e""",,f'), ['a=b', 'c=d,"e"', '', 'f']);
  for (const text of ['', 'a"b', '"a"b', '"a'])
    assert.throws(
      () => csv(text),
      (error) => isBuilderError(error),
    );
});

test('durations are Go ones', () => {
  const cases: Record<string, number | undefined> = {
    '1m30s': 90e9,
    '500ms': 5e8,
    '1.5h': 5400e9,
    '0': 0,
    '-1s': -1e9,
    '1us': 1e3,
    '1': undefined,
    '': undefined,
    s: undefined,
    '1s ': undefined,
    '9999999h': undefined,
  };
  for (const [text, nanoseconds] of Object.entries(cases)) assert.equal(parseGoDuration(text), nanoseconds, text);
});

test('sizes count in powers of 1024', () => {
  assert.deepEqual(['512', '64m', '1.5GiB', '2 kb', 'x', '-1'].map(parseByteSize), [
    512,
    2 ** 26,
    1.5 * 2 ** 30,
    2048,
    undefined,
    undefined,
  ]);
});

test('ports, ranges, protocols and addresses', () => {
  const ports = (text: string) => {
    const port = parsePort(text);
    return 'error' in port ? 'error' : port.ports.join(' ');
  };
  assert.deepEqual(
    [
      '0',
      '65535/sctp',
      '80-82/UDP',
      '[::1]:1:2',
      '1-2:3-4',
      '65536',
      '80/ipx',
      '9-8',
      'a',
      '',
      '1-2:3-5',
      '999.1.1.1:1:2',
    ].map(ports),
    [
      '0/tcp',
      '65535/sctp',
      '80/udp 81/udp 82/udp',
      '2/tcp',
      '3/tcp 4/tcp',
      'error',
      'error',
      'error',
      'error',
      'error',
      'error',
      'error',
    ],
  );
});

test('signals by name and number', () => {
  const valid = ['9', 'SIGTERM', 'term', 'RTMIN+15', 'sigrtmax-14'];
  assert.deepEqual([...valid, '0', 'SIGRTMIN+16', 'FOO', ''].filter(isSignal), valid);
});

test('repositories are told from downloads by scheme or suffix', () => {
  assert.equal(addSourceKind('https://h/a.git?ref=x'), 'git');
  assert.equal(addSourceKind('https://h.git'), 'http');
  assert.equal(addSourceKind('https://h/a?x=.git'), 'http');
});

test('a replacement is literal, and empty matches behind a match do not count', () => {
  assert.equal(replacePattern('foobarbaz', 'ba', '$0', true), 'foo$0r$0z');
  assert.equal(replacePattern('foo', '*', 'X', true), 'X');
  assert.equal(replacePattern('foo', '', '-', true), '-f-o-o-');
});

test('a pattern of many stars takes no exponential time', () => {
  const started = performance.now();
  assert.equal(replacePattern('a'.repeat(300), `${'a*'.repeat(30)}b`, '', true).length, 300);
  assert.ok(performance.now() - started < 2000);
});

test('a modifier drops what stands before it in a split word, and only there', () => {
  const { text, words } = expandText('80${u:-81} x', () => undefined, { escape: '\\' });
  assert.deepEqual([text, words], ['8081 x', ['81', 'x']]);
});

test('hostile nesting is an error and no crash', () => {
  assert.throws(() => expandText('${a:-'.repeat(10_000), () => undefined, { escape: '\\' }), /nested|missing/);
  const text = `FROM a\n${'ONBUILD \\\n'.repeat(20_000)}RUN x`;
  assert.throws(
    () => parseDockerfile({ name: 'x', text }),
    (error) => isBuilderError(error, 'dockerfile.syntax'),
  );
});

test('a long file parses in reasonable time', () => {
  const text = `FROM a\n${'ENV a=b c="d $e"\nRUN --mount=type=cache,target=/x echo \\\n  hello\n'.repeat(4000)}`;
  const started = performance.now();
  assert.equal(parseDockerfile({ name: 'x', text }).instructions.length, 8001);
  assert.ok(performance.now() - started < 3000);
});
