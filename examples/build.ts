/**
 * An image made by a program: the library behind the commands. Compiled by `npm run build`, then
 *
 *     bin/slipway unshare node build/examples/build.js [IMAGE-NAME]
 *
 * `unshare` gives an ordinary user the namespace that building needs; root may leave it out.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilderError, openBuilder } from 'slipway';

const name = process.argv[2] ?? 'from-typescript';
const root = process.env['SLIPWAY_ROOT'];
const shell = mkdtempSync(join(tmpdir(), 'shell-'));
execFileSync(fileURLToPath(new URL('../../examples/gather-shell.sh', import.meta.url)), [shell]);

try {
  // Everything is undone when the block ends: locks, mounts, temporary files.
  await using builder = await openBuilder(root === undefined ? {} : { root, runroot: `${root}-run` });
  const { id: container } = await builder.from('scratch');
  await builder.copy(container, [shell], '/');
  const status = await builder.run(container, ['/bin/sh', '-c', 'echo "written by a step" > /step.txt']);
  if (status.kind !== 'exited' || status.code !== 0) throw new Error(`the step failed: ${JSON.stringify(status)}`);
  await builder.config(container, {
    env: ['GREETING=hello'],
    label: ['org.opencontainers.image.title=from-typescript'],
    entrypoint: '["/bin/sh", "-c"]',
    cmd: '["read -r line < /step.txt; echo $GREETING: $line"]',
  });
  const image = await builder.commit(container, name, { rm: true, timestamp: 0 });
  console.log(image.id);
} catch (error) {
  if (!isBuilderError(error)) throw error;
  // Every error has a code to switch on; the text is for people.
  console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`);
  process.exitCode = 1;
} finally {
  rmSync(shell, { recursive: true, force: true });
}
