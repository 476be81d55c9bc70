import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pullFailure } from '../../../src/container/pull-failure.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { parseReference, type QualifiedReference } from '../../../src/spec/reference.ts';

const PASSWORD = 'hunter2';

describe('a pull that failed everywhere', () => {
  const home = mkdtempSync(join(tmpdir(), 'slipway-pull-failure-'));
  after(() => rmSync(home, { recursive: true, force: true }));
  const authfile = join(home, 'auth.json');
  writeFileSync(
    authfile,
    JSON.stringify({ auths: { 'known.example.org': { auth: Buffer.from(`me:${PASSWORD}`).toString('base64') } } }),
  );
  const env = { HOME: home, XDG_RUNTIME_DIR: home };
  const place = (text: string): QualifiedReference => parseReference(text) as QualifiedReference;
  const failed = (text: string, code: 'registry.unauthorized' | 'registry.request-failed', isMirror = false) => ({
    place: place(text),
    isMirror,
    error: new BuilderError(code, `cannot fetch ${text}`, { hint: 'own hint', facts: { status: 401 } }),
  });

  it('keeps the error of the only place', async () => {
    const only = failed('a.example.org/x:1', 'registry.request-failed');
    assert.equal(await pullFailure('x', [only], { env }), only.error);
  });

  it('tells whose login was refused, never the login', async () => {
    const told = async (text: string, login: object): Promise<BuilderError> => {
      const error = await pullFailure('x', [failed(text, 'registry.unauthorized')], { env, ...login });
      assert.ok(error instanceof BuilderError);
      assert.doesNotMatch(JSON.stringify([error.message, error.hint, error.facts]), new RegExp(PASSWORD));
      assert.equal(error.facts['status'], 401);
      return error;
    };
    const none = await told('a.example.org/x:1', {});
    assert.deepEqual([none.code, none.facts['credentialSource']], ['registry.unauthorized', 'none']);
    assert.match(none.hint!, /no login for a\.example\.org was found: slipway login a\.example\.org/);
    const file = await told('known.example.org/x:1', { authfile });
    assert.equal(file.facts['credentialSource'], authfile);
    assert.match(file.hint!, /known\.example\.org refuses the login of .*auth\.json/);
    const flag = await told('known.example.org/x:1', { hasCreds: true });
    assert.equal(flag.facts['credentialSource'], '--creds');
  });

  it('names every place that was tried, mirrors as such', async () => {
    const failures = [
      failed('mirror.example.org/x:1', 'registry.unauthorized', true),
      failed('a.example.org/x:1', 'registry.request-failed'),
    ];
    const error = await pullFailure('x', failures, { env });
    assert.ok(error instanceof BuilderError);
    assert.equal(
      error.message,
      'cannot pull x from any of 2 places: mirror.example.org/x:1 (a mirror): cannot fetch mirror.example.org/x:1; a.example.org/x:1: cannot fetch a.example.org/x:1',
    );
    assert.equal(error.facts['tried'], 'mirror.example.org/x:1, a.example.org/x:1');
    assert.match(error.hint!, /no login for mirror\.example\.org/);
  });
});
