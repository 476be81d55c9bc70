/**
 * Build contexts, archives, caches and steps that mean harm. What they reach for is a canary outside of the context and
 * the store: it must stay as it was, and its content must not come into an image.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts, isRoot } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { Canary } from '../support/canary.ts';
import { type CommandResult, command, firstReason, missingPrograms, tryCommand } from '../support/command.ts';
import { busyboxMembers, writeEvilImage } from '../support/evil-image.ts';
import { dir, file, symlink, tarOf } from '../support/layer-tar.ts';
import { measuredCommand } from '../support/measured-command.ts';
import { Rig } from '../support/rig.ts';

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

describe('hostile contexts', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-contexts-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      let made = 0;
      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      });
      after(() => rig?.[Symbol.asyncDispose]());

      /** A context folder; a value that begins with `-> ` is a link. */
      const contextOf = (files: Readonly<Record<string, string>>): string => {
        const folder = rig.makeFolder(`work/context-${++made}`);
        for (const [path, text] of Object.entries(files)) {
          mkdirSync(join(folder, path, '..'), { recursive: true });
          if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(folder, path));
          else writeFileSync(join(folder, path), text);
        }
        return rig.give(folder);
      };
      const build = (folder: string, flags: readonly string[] = [], input: string | Buffer = ''): CommandResult =>
        rig.try(['build', '--no-cache', ...flags, folder], { timeoutMs: 30_000, input });
      const refused = (result: CommandResult, why: RegExp): void => {
        assert.equal(result.signal, undefined, 'it hangs');
        assert.notEqual(result.status, 0, result.stdout);
        assert.match(result.stderr, why);
        assert.doesNotMatch(result.stdout + result.stderr, /canary of the host|canary in a directory|This is a bug/);
      };

      it('B60 links of the context that lead out stay inside it, or are refused', () => {
        using canary = new Canary();
        const up = `../../../../../../../../${canary.path}`;
        const steps: readonly [string, string][] = [
          ['dir', `-> ${canary.path}`],
          ['dir', `-> ${up}`],
        ];
        for (const [link, target] of steps) {
          for (const copy of [`COPY ${link}/file /x`, `COPY ${link}/ /x/`, `ADD ${link}/dir /x/`]) {
            const folder = contextOf({ Dockerfile: `FROM localhost/latest\n${copy}\nRUN cat /x*\n`, [link]: target });
            refused(build(folder), /dir|copy/);
          }
        }
        assert.deepEqual(canary.changes(), []);
      });

      it('B60 B62 the Dockerfile of an archive that is a link to the host, a FIFO or a directory is refused', () => {
        using canary = new Canary();
        const text = 'FROM localhost/latest\nCOPY . /all\nRUN cat /all/.dockerignore || true\n';
        for (const [members, why] of [
          [[symlink('Dockerfile', join(canary.path, 'file'))], /no Containerfile or Dockerfile/],
          [[symlink('Dockerfile', `../../../../../../..${canary.path}/file`)], /no Containerfile or Dockerfile/],
          [[{ name: 'Dockerfile', type: 'fifo' } as const], /no regular file/],
          [[dir('Dockerfile')], /no regular file/],
          [[symlink('Dockerfile', 'Dockerfile')], /Dockerfile|symbolic links/],
        ] as const) {
          refused(build('-', [], tarOf(...members)), why);
        }
        const ignoring = [file('Dockerfile', text), symlink('.dockerignore', join(canary.path, 'file'))];
        const result = build('-', [], tarOf(...ignoring));
        assert.doesNotMatch(result.stdout + result.stderr, /canary of the host/);
        const within = build('-', ['-q'], tarOf(symlink('Dockerfile', '/sub/own'), dir('sub'), file('sub/own', text)));
        assert.equal(within.status, 0, within.stderr);
        assert.deepEqual(canary.changes(), []);
      });

      it('B61 a secret that is ignored in any spelling cannot be copied, by name or by pattern', () => {
        const plain = ['.env', './.env'];
        const odd = ['/.env', '.env/', '\ufeff.env', '.env\r', '.env  ', '*\n!keep', '**/.env', '*\n!keep/**'];
        // What is matched does not depend on who asks.
        for (const ignore of name === 'root' || !isRoot ? [...plain, ...odd] : plain) {
          for (const copy of ['COPY .env /x', 'COPY . /x/', 'COPY .e* /x/']) {
            const folder = contextOf({
              Dockerfile: `FROM localhost/latest\n${copy}\nRUN cat /x/.env /x 2>&1 || true\n`,
              '.dockerignore': `${ignore}\n`,
              '.env': 'TOKEN=canary of the host\n',
              'keep/file': 'kept\n',
            });
            if (ignore !== '.env' && copy !== 'COPY . /x/') continue;
            const result = build(folder);
            assert.doesNotMatch(result.stdout, /canary of the host/, `${JSON.stringify(ignore)}, ${copy}`);
            if (copy === 'COPY .env /x') refused(result, /\.env/);
          }
        }
      });

      it('B62 FIFOs and sockets in a context hold nobody up', { skip: missingPrograms('mkfifo') }, () => {
        const folder = contextOf({ Dockerfile: 'FROM localhost/latest\nCOPY . /x/\nRUN ls /x\n', file: 'x' });
        command('mkfifo', [join(folder, 'pipe')]);
        rig.give(folder);
        const result = build(folder);
        assert.equal(result.signal, undefined, 'it hangs');
        if (result.status !== 0) assert.match(result.stderr, /pipe/);
        const named = contextOf({ Dockerfile: 'FROM localhost/latest\nADD pipe /x\n' });
        command('mkfifo', [join(named, 'pipe')]);
        rig.give(named);
        const second = build(named);
        assert.equal(second.signal, undefined, 'it hangs');
      });

      it('B59 an archive that ends in garbage after a link to the host is no context, the second answer neither', async () => {
        using canary = new Canary();
        const archive = tarOf(symlink('Dockerfile', `${canary.path}/file`), symlink('dir', canary.path));
        const broken = Buffer.concat([archive.subarray(0, 1024), Buffer.alloc(2048, 'garbage')]);
        let requests = 0;
        const server = createServer((_request, response) => {
          requests += 1;
          response.end(requests === 1 ? broken : 'FROM localhost/latest\nRUN echo second\n');
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/context.tar`;
        const { uid, gid } = rig.account;
        const cwd = join(rig.folder, 'work');
        const args = [...rig.storeFlags, 'build', '--no-cache', url];
        const fetched = await measuredCommand(rig.program, args, { env: rig.env, uid, gid, cwd });
        server.close();
        assert.notEqual(fetched.status, 0);
        assert.doesNotMatch(fetched.stderr, /This is a bug/);
        refused(
          tryCommand(rig.program, [...rig.storeFlags, 'build', '-'], { env: rig.env, uid, gid, cwd, input: broken }),
          /./,
        );
        assert.equal(requests, 1);
        assert.deepEqual(canary.changes(), []);
      });

      it('B56 a cache whose directory is swapped for a link while another step mounts it', () => {
        using canary = new Canary();
        const cache = '--mount=type=cache,id=swapped,target=/c';
        const folder = contextOf({
          Dockerfile: `FROM localhost/latest AS swap
RUN ${cache} mkdir -p /c/real && echo inside >/c/real/file && for i in $(seq 300); do mv /c/real /c/x; ln -s ${canary.path} /c/x2; mv /c/x2 /c/x3; mv /c/x /c/real; rm /c/x3; ln -s ${canary.path} /c/link; mv /c/real /c/kept; mv /c/link /c/real; rm /c/real; mv /c/kept /c/real; done
FROM localhost/latest AS use
RUN ${cache} mkdir -p /c/real 2>/dev/null || true
${'RUN --mount=type=cache,id=swapped,target=/c cat /c/real/file 2>/dev/null; echo x >/c/real/out 2>/dev/null || true\n'.repeat(3)}
FROM localhost/latest
COPY --from=swap /bin/sh /one
COPY --from=use /bin/sh /two
`,
        });
        const result = build(folder);
        assert.equal(result.status, 0, result.stderr);
        assert.doesNotMatch(result.stdout, /canary in/);
        assert.deepEqual(canary.changes(), []);
      });

      it('B56 a source inside a cache that has become a link to the host', () => {
        using canary = new Canary();
        const folder = contextOf({
          Dockerfile: `FROM localhost/latest AS one
RUN rm -rf /sel; ln -s ${canary.path} /sel
FROM localhost/latest
RUN --mount=type=bind,from=one,source=/sel,target=/c,rw ls /c; touch /c/x
`,
        });
        refused(build(folder), /sel/);
        assert.deepEqual(canary.changes(), []);
      });

      it('B69 an image with a forged history is no cache', () => {
        const layout = join(rig.folder, 'work', `forged-${++made}`);
        const forged = { created_by: '/bin/sh -c echo honest >/out', created: '2020-01-01T00:00:00Z' };
        const history = [{ created_by: 'base' }, forged];
        writeEvilImage(layout, 'evil', { layers: [busyboxMembers(), [file('out', 'forged\n')]], history });
        rig.give(layout);
        rig.run('pull', '-q', `oci:${layout}:evil`);
        const folder = contextOf({ Dockerfile: 'FROM localhost/latest\nRUN echo honest >/out\nRUN cat /out\n' });
        const built = rig.must(['build', '--layers', folder]);
        assert.match(built.stdout, /^honest$/m);
        assert.doesNotMatch(built.stdout, /forged/);
      });

      it('B70 an archive that claims another image’s name says which names it takes', () => {
        const archive = join(rig.folder, 'work', `claims-${++made}.tar`);
        const name = 'docker.io/library/alpine:latest';
        const idOf = (image: string) => rig.run('images', '-q', '--no-trunc', image).replace(/^sha256:/, '');
        rig.run('build', '-q', '-t', name, contextOf({ Dockerfile: 'FROM localhost/latest\nLABEL who=evil\n' }));
        const evil = idOf(name);
        rig.run('push', '-q', name, `docker-archive:${archive}:${name}`);
        rig.run('rmi', name);
        const quiet = rig.must(['pull', '-q', `docker-archive:${archive}`]);
        assert.deepEqual([quiet.stdout.trim(), quiet.stderr], [evil, '']);
        rig.run('rmi', name);

        rig.run('tag', 'localhost/latest', name);
        const before = idOf(name);
        const pulled = rig.must(['pull', '-q', `docker-archive:${archive}`]);
        assert.equal(idOf(name), evil);
        const moved = `${name} now means image ${evil.slice(0, 12)} instead of ${before.slice(0, 12)}`;
        assert.ok(pulled.stderr.includes(`${moved}: docker-archive:${archive} claims the name`), pulled.stderr);
        assert.equal(idOf('localhost/latest'), before);

        // Who names it knows what it takes.
        rig.run('tag', 'localhost/latest', name);
        assert.equal(rig.must(['pull', '-q', `docker-archive:${archive}:${name}`]).stderr, '');
        rig.run('rmi', name);
      });

      it('X06 a step cannot write to what runs it', () => {
        const watched = [process.execPath, rig.program, join(rig.installation.folder, 'dist/slipway.cjs')];
        const states = () => watched.map((path) => `${statSync(path).size} ${statSync(path).mtimeMs}`);
        const before = states();
        const tries = ['/proc/1/exe', '/proc/self/exe', '/proc/$PPID/exe'].map(
          (path) => `(echo x >${path}) 2>/dev/null`,
        );
        const folder = contextOf({ Dockerfile: `FROM localhost/latest\nRUN ${tries.join('; ')}; echo ran\n` });
        assert.match(build(folder).stdout, /^ran$/m);
        assert.deepEqual(states(), before);
      });

      it('X07 labels named like our own records are only labels', () => {
        const keys = [
          'io.buildah.version',
          'slipway.step',
          'org.opencontainers.image.base.digest',
          '__proto__',
          'constructor',
        ];
        const labels = keys.map((key) => `LABEL ${key}="../../../canary"`).join('\n');
        const folder = contextOf({ Dockerfile: `FROM localhost/latest\n${labels}\nRUN echo ran\n` });
        const id = rig.run('build', '-q', '--layers', folder);
        assert.equal(rig.run('build', '-q', '--layers', folder), id);
        assert.match(rig.run('inspect', '--type', 'image', id), /"__proto__": "\.\.\/\.\.\/\.\.\/canary"/);
        rig.run('rmi', id);
      });

      it('X09 names others could have made in the temporary directory are not used', () => {
        const shared = rig.makeFolder('work/shared');
        chmodSync(shared, 0o1777);
        using canary = new Canary();
        for (const stem of ['slipway', 'slipway-files', 'buildah', `slipway-${rig.account.uid}`]) {
          symlinkSync(canary.path, join(shared, stem));
        }
        const folder = contextOf({ Dockerfile: 'FROM localhost/latest\nRUN echo ran\n' });
        rig.must(['build', '-q', folder], { env: { ...rig.env, TMPDIR: shared } });
        assert.deepEqual(canary.changes(), []);
      });

      it('X10 the store and logins are for their owner alone', () => {
        const modes = ['root', 'root/v1', 'root/v1/rootfs', 'root/v1/blobs', 'root/v1/tmp'].map((path) => {
          const full = join(rig.folder, path);
          return existsSync(full) ? lstatSync(full).mode & 0o077 : 0;
        });
        assert.ok(
          modes.some((mode) => mode === 0),
          `${modes}`,
        );
        assert.equal(lstatSync(join(rig.folder, 'root/v1')).mode & 0o077, 0);
        const script = `test ! -r ${join(rig.folder, 'root/v1/images.json')}`;
        if (isRoot) command('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', script]);
        assert.ok(readFileSync(join(rig.folder, 'root/v1/images.json')).length > 0 || rig.account.kind !== 'root');
      });
    });
  }
});
