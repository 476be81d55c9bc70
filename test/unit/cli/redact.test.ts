import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeReporter } from '../../../src/cli/output/choose-reporter.ts';
import { diagnosticText, errorText } from '../../../src/cli/output/error-text.ts';
import { TextOutput } from '../../../src/cli/output/output.ts';
import { redact, redactAll, redactInPlace } from '../../../src/cli/output/redact.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const SECRET = 'hUnter2secretsecret99';
const JWT = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.${SECRET}`;

describe('credentials are taken out', () => {
  const TABLE: readonly (readonly [string, string])[] = [
    ['https://user:pa%20ss@host/x and on', 'https://***@host/x and on'],
    ['git+https://token@host:8443/x.git#main', 'git+https://***@host:8443/x.git#main'],
    ['"ssh://me:x@h/"', '"ssh://***@h/"'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer ***'],
    ['authorization: "abc"', 'authorization: "***"'],
    ['{"authorization":"Basic dTpw"}', '{"authorization":"Basic ***"}'],
    ['got Bearer 0123456789abcdef back', 'got Bearer *** back'],
    ['Basic dXNlcjpwYXNz', 'Basic ***'],
    ['https://h/b?X-Amz-Signature=ab12&x=1', 'https://h/b?X-Amz-Signature=***&x=1'],
    ['https://h/b?a=1&sig=ab%2F12', 'https://h/b?a=1&sig=***'],
    ['https://h/b?access_token=t', 'https://h/b?access_token=***'],
    ['RUN NPM_TOKEN=abcdef npm ci', 'RUN NPM_TOKEN=*** npm ci'],
    ['--password="pass word"', '--password="***"'],
    [`saw ${JWT}.`, 'saw ***.'],
    [`ghp_${'a1'.repeat(18)}`, '***'],
    ['AKIAABCDEFGHIJKLMNOP', '***'],
  ];
  for (const [text, expected] of TABLE) it(JSON.stringify(text), () => assert.equal(redact(text), expected));
});

describe('what is none stays', () => {
  for (const text of [
    'docker.io/library/alpine@sha256:0123456789abcdef',
    'mail me@example.org about http://example.org/a@b',
    'Basic authentication is refused, bearer challenges are not',
    'cannot read password: permission denied',
    'unknown secret: npm',
    'RUN --mount=type=secret,id=token,target=/t cat /t',
    'ENV TOKEN=$OTHER PASSWORD=',
    'https://h/x?page=2#token',
  ]) {
    it(JSON.stringify(text), () => assert.equal(redact(text), text));
  }
});

it('columns stay true where a source is shown', () => {
  const line = `RUN curl https://me:${SECRET}@host/x && nosuch`;
  assert.equal(redactInPlace(line).length, line.length);
  const file = { name: `https://u:${SECRET}@h/Dockerfile`, text: `${line}\n` };
  const start = line.indexOf('nosuch');
  const style = styleFor({ isTty: false }, {}, 'never');
  const text = diagnosticText(
    { severity: 'error', code: 'c', message: 'm', span: { file, start, end: start + 6 }, notes: [] },
    { width: 200, style, verbose: false },
  );
  assert.doesNotMatch(text, new RegExp(SECRET));
  const [source, marks] = text.split('\n').slice(3);
  assert.equal(source!.indexOf('nosuch'), marks!.indexOf('^^^^^^'));
});

it('values of any depth are gone through', () => {
  assert.deepEqual(redactAll({ a: [1, null, 'https://u:p@h'], b: { c: true } }), {
    a: [1, null, 'https://***@h'],
    b: { c: true },
  });
});

describe('no secret leaves through', () => {
  const url = `https://me:${SECRET}@host/x`;
  const file = { name: url, text: `ADD ${url} /\n` };
  const span = { file, start: 0, end: 3 };
  const error = new BuilderError('copy.fetch-failed', `cannot fetch ${url}`, {
    span,
    hint: `try ${url}`,
    facts: { url },
    cause: new Error(`GET ${url}`),
  });
  const diagnostic = {
    severity: 'warning',
    code: 'c',
    message: url,
    span,
    notes: [{ message: url, span }],
    help: url,
  } as const;
  const events: BuildEvent[] = [
    { type: 'step-started', step: '0.2', name: `ADD ${url} /`, at: 0 },
    { type: 'step-finished', step: '0.2', outcome: 'failed', at: 1 },
    { type: 'note', text: url },
    { type: 'warning', text: url },
    { type: 'diagnostic', diagnostic },
    { type: 'transfer', id: 'x', label: url, state: 'started' },
  ];
  const style = styleFor({ isTty: false }, {}, 'never');

  it('errors', () => {
    for (const verbose of [false, true]) {
      assert.doesNotMatch(errorText(error, { width: 80, style, verbose }), new RegExp(SECRET));
      assert.doesNotMatch(errorText(new Error(url), { width: 80, style, verbose }), new RegExp(SECRET));
    }
  });
  for (const mode of ['tty', 'plain', 'json']) {
    it(`the ${mode} display`, () => {
      const out = new TextOutput({ isTty: true, columns: 300 });
      const reporter = makeReporter(mode, {
        stdout: out,
        stderr: out,
        style,
        env: {},
        now: () => 0,
        logLevel: 'warn',
        hidesIds: false,
        quiet: false,
      });
      for (const event of events) reporter.emit(event);
      reporter.finish({ error });
      assert.notEqual(out.text, '');
      assert.doesNotMatch(out.text, new RegExp(SECRET));
    });
  }
});
