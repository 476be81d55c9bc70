/**
 * HOME, TMPDIR and the XDG variables as a broken login, a container or a service leaves them: empty, a file, a link to
 * nowhere, a place where the kernel makes no directories. Whatever they are, a command works without them or ends, soon
 * and with a line that names the place; nothing lands in the working directory.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { type CommandResult, command, firstReason, tryCommand } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const VARIABLES = ['HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR'] as const;

describe('an odd environment', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-odd-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context'));
    writeFileSync(join(scratch, 'context/Dockerfile'), 'FROM localhost/latest\nRUN echo x > /x\n');
    writeFileSync(join(scratch, 'file'), '');
    symlinkSync('/nowhere/at/all', join(scratch, 'link'));
    command('chmod', ['-R', 'go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const VALUES: readonly (readonly [string, () => string])[] = [
    ['/proc', () => '/proc'],
    ['a file', () => join(scratch, 'file')],
    ['a link to nowhere', () => join(scratch, 'link')],
    ['empty', () => ''],
    ['relative', () => 'relative'],
  ];

  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      });
      after(() => rig?.[Symbol.asyncDispose]());

      /** Ends in time, is no bug, and leaves the working directory alone. */
      const tried = (flags: readonly string[], words: readonly string[], odd: NodeJS.ProcessEnv): CommandResult => {
        const { uid, gid } = rig.account;
        const cwd = join(rig.folder, 'work');
        const o = { uid, gid, cwd, env: { ...rig.env, ...odd }, timeoutMs: 30_000 };
        const result = tryCommand(rig.program, [...flags, ...words], o);
        assert.equal(result.signal, undefined, `${words[0]} hangs: ${JSON.stringify(odd)}`);
        assert.doesNotMatch(result.stderr, /This is a bug/);
        assert.deepEqual(readdirSync(cwd), []);
        return result;
      };

      for (const [what, value] of VALUES) {
        it(`F16 builds, with its store elsewhere, whatever is ${what}`, () => {
          for (const variable of VARIABLES) {
            const odd = { [variable]: value() };
            const built = tried(rig.storeFlags, ['build', '-q', '--no-cache', join(scratch, 'context')], odd);
            assert.equal(built.status, 0, `${variable}: ${built.stderr}`);
          }
        });

        // The store of root is in no home.
        if (name === 'root') continue;
        it(`opens the store or says which place it cannot be in, with a HOME that is ${what}`, () => {
          // Where there is no home, that of /etc/passwd would be the next.
          const data = value().startsWith('/') ? {} : { XDG_DATA_HOME: join(rig.folder, 'work-data') };
          rig.makeFolder('work-data');
          const opened = tried([], ['images', '-q'], { HOME: value(), ...data });
          if (!value().startsWith('/')) return assert.equal(opened.status, 0, opened.stderr);
          assert.equal(opened.status, 125);
          assert.ok(opened.stderr.startsWith(`Error: cannot open the store ${value()}/.local/share/`), opened.stderr);
          assert.match(opened.stderr, /caused by: .*\nhelp: .*--root/);
        });

        it(`says where it cannot put a temporary file, with a TMPDIR that is ${what}`, () => {
          const archive = join(rig.folder, `out-${VALUES.findIndex(([which]) => which === what)}.tar`);
          const odd = { TMPDIR: value() };
          const pushed = tried(rig.storeFlags, ['push', '-q', 'localhost/latest', `oci-archive:${archive}`], odd);
          if (!value().startsWith('/')) return assert.equal(pushed.status, 0, pushed.stderr);
          assert.equal(pushed.status, 125);
          assert.ok(
            pushed.stderr.startsWith(`Error: cannot make a temporary directory in "${value()}"`),
            pushed.stderr,
          );
          assert.match(pushed.stderr, /\nhelp: set TMPDIR /);
        });
      }
    });
  }
});
