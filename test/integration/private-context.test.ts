/** Contexts that ask for a login: it comes from the secrets of the build, and goes nowhere else. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, missingPrograms, tryCommand } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const TOKEN = 'correct-horse-battery-4712';

interface Request {
  readonly url: string;
  readonly isAllowed: boolean;
  readonly isSeen: boolean;
}

/** A folder behind a login, and what was asked of it. */
class PrivateServer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly address: string;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, address: string) {
    this.#process = child;
    this.#lines = lines;
    this.address = address;
  }

  static async start(folder: string, login: string): Promise<PrivateServer> {
    const program = join(import.meta.dirname, '../support/file-server.js');
    const env = { ...process.env, SLIPWAY_TEST_LOGIN: login, SLIPWAY_TEST_TOKEN: TOKEN };
    const child = spawn(process.execPath, [program, folder], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return new PrivateServer(child, lines, String((await lines.next()).value));
  }

  /** Everything that was asked; ends the server. */
  async requests(): Promise<Request[]> {
    this.#process.stdin?.end();
    const found: Request[] = [];
    for (let line = await this.#lines.next(); line.done !== true; line = await this.#lines.next()) {
      found.push(JSON.parse(line.value) as Request);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin?.end();
  }
}

describe('a context behind a login', { skip: missingPrograms('git', 'grep', 'tar') }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-private-'));
  const served = join(scratch, 'served');
  before(() => {
    const repository = join(served, 'app.git');
    mkdirSync(join(repository, 'sub'), { recursive: true });
    writeFileSync(join(repository, 'sub/Dockerfile'), 'FROM scratch\nCOPY file /\nCOPY --from=other file /other\n');
    writeFileSync(join(repository, 'sub/file'), 'content');
    const env = { ...process.env, HOME: scratch, GIT_CONFIG_NOSYSTEM: '1' };
    const git = (...words: readonly string[]): string =>
      command('git', ['-C', repository, '-c', 'user.name=T', '-c', 'user.email=t@t', ...words], { env });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-qm', 'one');
    command('tar', ['-C', join(repository, 'sub'), '-czf', join(served, 'app.tar.gz'), '.']);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    for (const { kind, login, secret, place } of [
      { kind: 'git', login: basic(TOKEN), secret: () => 'GIT_AUTH_TOKEN', place: 'app.git#main:sub' },
      {
        kind: 'git',
        login: `Bearer ${TOKEN}`,
        secret: (host: string) => `GIT_AUTH_HEADER.${host}`,
        place: 'app.git#:sub',
      },
      {
        kind: 'http',
        login: `Bearer ${TOKEN}`,
        secret: (host: string) => `HTTP_AUTH_TOKEN_${host}`,
        place: 'app.tar.gz',
      },
      { kind: 'http', login: basic(TOKEN), secret: (host: string) => `HTTP_AUTH_HEADER_${host}`, place: 'app.tar.gz' },
    ]) {
      it(`${kind} with ${secret('<host>')}, ${name}`, { skip: typeof account === 'string' && account }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account });
        await using server = await PrivateServer.start(served, login);
        const { host, hostname } = new URL(server.address);
        const context = `${server.address}/${place}`;
        const words = ['--build-context', `other=${context}`, '-t', 'result', context];
        const file = join(scratch, 'secret');
        writeFileSync(file, secret('').includes('HEADER') ? login : TOKEN, { mode: 0o644 });
        const given = (id: string): string[] => ['--secret', `id=${id},src=${file}`];

        const refused = rig.try(['build', ...words]);
        assert.notEqual(refused.status, 0);
        assert.match(refused.stderr, /the server asks for a login/);
        assert.match(
          refused.stderr,
          new RegExp(`--secret id=${kind === 'git' ? 'GIT_AUTH_TOKEN.' : 'HTTP_AUTH_TOKEN_'}`),
        );
        if (kind === 'http') assert.notEqual(rig.try(['build', ...given(secret('elsewhere')), ...words]).status, 0);
        const answer = rig.must([
          '--log-level',
          'debug',
          'build',
          ...given(secret(kind === 'git' ? hostname : host)),
          ...words,
        ]);
        assert.deepEqual(
          rig.imageTree('result').map(({ path }) => path),
          ['.', 'file', 'other'],
        );
        const targets = rig.must(['build', '--call=targets', ...given(secret(hostname)), context]);
        assert.match(targets.stdout, /TARGET/i);

        for (const text of [TOKEN, Buffer.from(`x-access-token:${TOKEN}`).toString('base64')]) {
          assert.equal(tryCommand('grep', ['-rlaF', text, rig.folder]).stdout, '');
          assert.ok(!(answer.stdout + answer.stderr + refused.stderr).includes(text));
        }
        const requests = await server.requests();
        assert.ok(requests.some(({ isAllowed }) => isAllowed));
        assert.deepEqual(
          requests.filter(({ isSeen }) => isSeen),
          [],
        );
      });
    }
  }
});

function basic(token: string): string {
  return `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
}
