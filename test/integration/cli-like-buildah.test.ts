/** The same command lines given to Buildah and to Slipway: same exit codes, same bytes on stdout, ids aside. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const SLIPWAY = fileURLToPath(new URL('../../../bin/slipway', import.meta.url));
const BUSYBOX = '/bin/busybox';

function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'Buildah is compared as root';
  if (spawnSync('buildah', ['--version']).status !== 0) return 'buildah is not installed';
  if (!existsSync(BUSYBOX)) return 'busybox-static is not installed';
  return undefined;
}

/** Command lines in order; `(err)` also compares stderr. `CTX` and `TMP` are directories of the tool's own. */
const LINES = `
images (err)
images --json (err)
images -q (err)
containers --json (err)
mount --json (err)
bud -q -t bb CTX
bud -t bb CTX
bud --layers -t a -t b CTX
bud --layers -t a -t b CTX
bud -q --layers CTX
bud --no-cache --rm -q CTX
bud --compress --disable-content-trust --loglevel 3 -q CTX
bud -f CTX/Failing CTX
bud -q -f CTX/Failing CTX
bud -f CTX/Stages CTX
bud --iidfile TMP/iid CTX
bud CTX CTX (err)
bud -t x CTX -t y (err)
bud --format zz CTX (err)
bud --isolation foo CTX (err)
bud --rm CTX (err)
bud --add-host a:1.2.3.4 --no-hosts CTX (err)
tag bb bb:2 other (err)
images bb
images --format {{.Name}}:{{.Tag}}|{{.Size}}|{{.ReadOnly}} bb
images --format {{.Tag}} bb
images nosuch (err)
images -a bb (err)
images -f bogus=1 (err)
images x y (err)
images -q --format x (err)
from bb
from --name foo bb
from scratch
from (err)
from x y (err)
containers
containers --notruncate
containers -n
containers --json
containers -q
containers --format {{.ContainerName}}|{{.ImageName}}
containers --filter name=foo
containers --filter bad=foo (err)
containers --filter foo (err)
run foo (err)
run (err)
run foo sh -c true
run foo -- echo hi
run foo sh -c 'exit 7'
run foo sh -c 'kill -9 $$'
run foo /nosuch
run nosuch ls
mount foo
mount
mount --json
mount --json foo
mount foo working-container
umount nosuch foo
umount -a
umount (err)
umount -a foo (err)
copy foo CTX/Dockerfile /x
copy -q foo CTX/Dockerfile /y
copy foo (err)
copy (err)
config --env A=B --cmd 'a b' foo
config foo --env A=B
config --env (err)
inspect -f {{.OCIv1.Config.Env}}{{.OCIv1.Config.Cmd}} foo
inspect -f '{{printf "%q" .Docker.Config.Cmd}} {{.FromImage}} {{.Container}}' foo
inspect -f {{.Nosuch}} foo (err)
inspect -f x foo (err)
commit foo bb3
commit -q foo
commit foo oci:TMP/layout
rename foo foo2
rename foo2 working-container
rmi nosuch (err)
rmi bb:2
rmi (err)
rmi -a x (err)
rmi -a -p (err)
rm nosuch foo2
rm (err)
rm -a foo2 (err)
tag nosuch a (err)
push (err)
push bb3 oci:TMP/pushed
push -q bb3 dir:TMP/dir
push --digestfile TMP/digest -q bb3 dir:TMP/dir2
pull (err)
pull -q oci:TMP/pushed
logout (err)
login (err)
login --password-stdin localhost:1 (err)
info --format {{.host.arch}}{{.nosuch}}
nosuch (err)
images --nosuch (err)
images -Z (err)
images --filter (err)
images -f (err)
`
  .split('\n')
  .filter((line) => line !== '');

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

class Tool {
  readonly dir: string;
  readonly #command: string;

  constructor(command: string) {
    this.#command = command;
    // Lower case: Buildah 1.28 makes the name of a pulled layout from its path.
    this.dir = join(tmpdir(), `slipway-like-${process.pid}-${command === SLIPWAY ? 'ours' : 'theirs'}`);
    const ctx = join(this.dir, 'ctx');
    mkdirSync(join(ctx, 'bin'), { recursive: true });
    copyFileSync(BUSYBOX, join(ctx, 'bin/busybox'));
    writeFileSync(
      join(ctx, 'Dockerfile'),
      'FROM scratch\nCOPY bin/busybox /bin/busybox\nCOPY bin/busybox /bin/sh\nCMD ["/bin/sh"]\n',
    );
    writeFileSync(join(ctx, 'Failing'), 'FROM bb\nRUN echo out; echo err >&2\nRUN exit 42\n');
    writeFileSync(join(ctx, 'Stages'), 'FROM bb AS one\nRUN echo out\nFROM bb\nCOPY --from=one /bin/sh /x\n');
  }

  run(line: string): Outcome {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    const args = words.map((word) => word.replaceAll('CTX', join(this.dir, 'ctx')).replaceAll('TMP', this.dir));
    const globals = ['--root', join(this.dir, 'root'), '--runroot', join(this.dir, 'run'), '--storage-driver', 'vfs'];
    const env = { ...process.env, BUILDAH_ISOLATION: 'chroot' };
    const out = spawnSync(this.#command, [...globals, ...args], { env, encoding: 'utf8', input: '', cwd: this.dir });
    return { code: out.status, stdout: this.#plain(out.stdout), stderr: this.#plain(out.stderr) };
  }

  /** What differs by nature: ids, places, ages. */
  #plain(text: string): string {
    return text
      .replace(/[0-9a-f]{64}/g, 'H64')
      .replace(/\b[0-9a-f]{11,12}\b/g, 'H12')
      .replaceAll(this.dir, 'DIR')
      .replace(/DIR\/(root|run)\S*/g, (path) => (path.endsWith('",') || path.endsWith('"') ? 'STORE"' : 'STORE'))
      .replace(/(Less than a|About a|\d+) (second|minute)s? ago */g, 'AGO ')
      .replace(/CREATED +/g, 'CREATED ')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/"created": \d+/g, '"created": N')
      .replaceAll('Storing signatures\n', '')
      .replaceAll('buildah', 'slipway');
  }

  file(name: string): string {
    return readFileSync(join(this.dir, name), 'utf8').replace(/[0-9a-f]{64}/g, 'H64');
  }
}

describe('like Buildah', { skip: missing() ?? false }, () => {
  let [theirs, ours]: Tool[] = [];
  before(() => {
    theirs = new Tool('buildah');
    ours = new Tool(SLIPWAY);
  });
  after(() => {
    for (const tool of [theirs, ours]) {
      tool?.run('umount -a');
      if (tool !== undefined) rmSync(tool.dir, { recursive: true, force: true });
    }
  });
  for (const line of LINES) {
    it(line, () => {
      const command = line.replace(' (err)', '');
      const [expected, actual] = [theirs!.run(command), ours!.run(command)];
      assert.deepEqual([actual.code, actual.stdout], [expected.code, expected.stdout], actual.stderr);
      // Help is ours to add; the error itself is compared.
      if (command !== line) assert.equal(actual.stderr.replace(/^help: .*\n/m, ''), expected.stderr);
    });
  }
  it('files with ids and digests have the same form', () => {
    for (const name of ['iid', 'digest']) assert.equal(ours!.file(name), theirs!.file(name));
  });
});
