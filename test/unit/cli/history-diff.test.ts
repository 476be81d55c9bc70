import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryStep, TreeChange } from '../../../src/index.ts';
import { NOW, slipway } from './fake-program.ts';

const ID = 'a'.repeat(64);
const step = (createdBy: string, more: Partial<HistoryStep> = {}): HistoryStep => ({
  id: undefined,
  created: '2026-11-21T08:00:00.123456789Z',
  createdBy,
  author: '',
  comment: '',
  emptyLayer: false,
  sizeBytes: 0,
  names: [],
  ...more,
});
const STEPS = [
  step('RUN echo one &&\n    echo two && echo something that is long', {
    id: ID,
    sizeBytes: 12_345,
    comment: 'FROM base\u001b[31m',
    names: ['localhost/app:1', 'localhost/app:2'],
  }),
  step('CMD ["sh"]', { emptyLayer: true }),
  step('', { created: '', sizeBytes: 3_000_000 }),
];
const history = (...argv: string[]) => slipway(['history', ...argv], { verbs: { history: () => STEPS }, now: NOW });

describe('history', () => {
  it('prints a table, newest first', async () => {
    const { stdout, calls } = await history('app');
    assert.equal(
      stdout,
      `ID             CREATED       CREATED BY                                      SIZE      COMMENT
aaaaaaaaaaaa   2 hours ago   RUN echo one && echo two && echo something...   12.3 KB   FROM base\\x1b[31m
<missing>      2 hours ago   CMD ["sh"]                                      0 B       
<missing>                                                                    3 MB      
`,
    );
    assert.equal(calls[0]?.args[0], 'app');
  });
  it('takes images of other places, their options and a platform', async () => {
    const { calls } = await history('--platform', 'linux/arm64', '--tls-verify=false', 'docker://h/app');
    const { platform, tlsVerify } = calls[0]!.args[1] as Record<string, unknown>;
    assert.deepEqual([platform, tlsVerify], [{ os: 'linux', architecture: 'arm64' }, false]);
  });
  it('prints whole texts and exact numbers', async () => {
    const { stdout } = await history('--no-trunc', '--human=false', 'app');
    const [, first] = stdout.split('\n');
    assert.equal(
      first,
      `sha256:${ID}   2026-11-21T08:00:00.123456789Z   RUN echo one && echo two && echo something that is long   12345     FROM base\\x1b[31m`,
    );
  });
  it('prints ids', async () => {
    assert.equal((await history('-q', 'app')).stdout, 'aaaaaaaaaaaa\n<missing>\n<missing>\n');
  });
  it('fills templates', async () => {
    const { stdout } = await history('--format', '{{.ID}} {{.Size}} {{.Tags}}', 'app');
    assert.equal(stdout.split('\n')[0], 'aaaaaaaaaaaa   12.3 KB   localhost/app:1, localhost/app:2');
    assert.match((await history('--format', 'table {{.ID}}', 'app')).stdout, /^ID\n/);
    assert.match((await history('--format', '{{.Nope}}', 'app')).stderr, /can't evaluate field Nope/);
    assert.match((await history('-q', '--format', '{{.ID}}', 'app')).stderr, /mutually exclusive/);
  });
  it('prints JSON', async () => {
    const rows = JSON.parse((await history('--json', 'app')).stdout) as Record<string, unknown>[];
    assert.deepEqual(rows[1], {
      id: '<missing>',
      created: '2026-11-21T08:00:00.123456789Z',
      createdBy: 'CMD ["sh"]',
      size: 0,
      comment: '',
      emptyLayer: true,
      tags: [],
    });
    assert.equal((await history('--format', 'json', 'app')).stdout, (await history('--json', 'app')).stdout);
  });
  it('wants one image', async () => {
    assert.equal((await history()).code, 125);
    assert.equal((await history('a', 'b')).code, 125);
  });
});

const change = (kind: TreeChange['kind'], path: string, more: Partial<TreeChange> = {}): TreeChange => ({
  kind,
  path,
  type: 'file',
  sizeBytes: 0,
  sizeBytesBefore: 0,
  ...more,
});
const CHANGES = [
  change('C', '/etc', { type: 'directory' }),
  change('A', '/etc/a\nb', { sizeBytes: 2000 }),
  change('D', '/\ufffd\\', { sizeBytesBefore: 5, pathBase64: Buffer.from([0x2f, 0xff, 0x5c]).toString('base64') }),
];
const diff = (...argv: string[]) => slipway(['diff', ...argv], { verbs: { diff: () => CHANGES } });

describe('diff', () => {
  it('prints a line for every file, whatever is in its name', async () => {
    const { stdout, calls } = await diff('one', 'two');
    assert.equal(stdout, 'C /etc\nA /etc/a\\x0ab\nD /\\xff\\\\\n');
    assert.deepEqual(calls[0]?.args, ['one', 'two', { ignoreTimes: false }]);
  });
  it('prints how sizes changed', async () => {
    const { stdout } = await diff('--size', '--ignore-times', 'one');
    assert.equal(stdout, 'C           /etc\nA   +2 KB   /etc/a\\x0ab\nD   -5 B    /\\xff\\\\\n');
  });
  it('prints JSON', async () => {
    assert.deepEqual(JSON.parse((await diff('--json', 'one')).stdout), CHANGES);
    assert.deepEqual(JSON.parse((await diff('--format', 'json', 'one')).stdout), CHANGES);
    assert.match((await diff('--format', 'yaml', 'one')).stderr, /unknown format "yaml": json is known/);
  });
  it('wants one or two names', async () => {
    assert.equal((await diff()).code, 125);
    assert.equal((await diff('a', 'b', 'c')).code, 125);
  });
});
