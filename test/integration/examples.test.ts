/** Every example of the README runs, offline, and makes the image it promises. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { tryCommand } from '../support/command.ts';
import { checkout } from '../support/installation.ts';
import { quote, Rig } from '../support/rig.ts';

for (const { name, account } of accounts()) {
  describe(`the examples as ${name}`, { skip: typeof account === 'string' && account }, () => {
    let rig: Rig;
    let examples: string;
    before(async () => {
      if (typeof account === 'string') return;
      rig = await Rig.open({ account });
      examples = join(rig.folder, 'work/examples');
      cpSync(join(checkout, 'examples'), examples, { recursive: true });
      rig.give(examples);
    });
    after(() => rig?.[Symbol.asyncDispose]());

    /** The program with the rig's store, as one word for scripts. */
    const slipway = () => {
      const path = join(rig.folder, 'work/slipway');
      const script = `#!/bin/sh\nexec ${[rig.program, ...rig.storeFlags].map(quote).join(' ')} "$@"\n`;
      rig.command('/bin/sh', ['-c', 'cat > "$0"; chmod +x "$0"', path], { input: script });
      return { ...rig.env, SLIPWAY: path };
    };
    const inspect = (image: string) => JSON.parse(rig.run('inspect', '--type', 'image', image)).OCIv1;

    it('hello: a Dockerfile without any base', () => {
      const said = rig.command(join(examples, 'hello/build.sh'), ['Ada'], { env: slipway() });
      assert.match(said, /\nhello, Ada: made by a shell that runs in the image ?\n$/);
      const image = inspect('localhost/hello');
      assert.deepEqual(image.config.Entrypoint, ['/bin/sh', '/hello.sh']);
      assert.equal(rig.run('containers', '-q'), '');
    });

    it('from-scratch.sh: an image made by a script', () => {
      const id = rig.command(join(examples, 'from-scratch.sh'), ['scripted'], { env: slipway() }).trim();
      assert.match(id, /^[0-9a-f]{64}$/);
      const image = inspect(id);
      assert.equal(image.config.Labels['org.opencontainers.image.title'], 'from-scratch');
      assert.equal(runImage(rig, id), 'hello: written by a step\n');
    });

    it('build.ts: an image made by a program, the same one each time', () => {
      const program = join(rig.installation.folder, 'build/examples/build.js');
      const script = ['unshare', process.execPath, program, 'typed'];
      const env = { ...rig.env, SLIPWAY_ROOT: join(rig.folder, 'root') };
      const words = rig.account.kind === 'root' ? [program, 'typed'] : script;
      const run = () => {
        const done =
          rig.account.kind === 'root'
            ? tryCommand(process.execPath, words, { env, cwd: join(rig.folder, 'work') })
            : rig.try(words, { env });
        assert.equal(done.status, 0, done.stderr);
        return done.stdout.trim();
      };
      const id = run();
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(inspect(id).config.Labels['org.opencontainers.image.title'], 'from-typescript');
      assert.equal(run(), id);
      assert.equal(rig.run('containers', '-q'), '');
    });
  });
}

/** What the image says when it is started as its config wishes. */
function runImage(rig: Rig, image: string): string {
  const { Entrypoint, Cmd } = JSON.parse(rig.run('inspect', '--type', 'image', image)).OCIv1.config;
  const container = rig.run('from', image);
  const said = rig.must(['run', container, '--', ...Entrypoint, ...Cmd]).stdout;
  rig.run('rm', container);
  return said;
}
