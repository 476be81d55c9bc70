/** `--output`: the final root filesystem as a directory or a tar archive. */
import { closeSync, constants, createWriteStream, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine } from '../container/engine.ts';
import { BuilderError } from '../report/builder-error.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { AT_FDCWD, openat } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';

export type RootfsOutput =
  | { readonly type: 'local'; readonly dest: string }
  /** `-` is standard output. */
  | { readonly type: 'tar'; readonly dest: string };

/** `DIR`, `-`, `type=local,dest=DIR`, `type=tar,dest=FILE|-`. @throws `usage.invalid`, `usage.unsupported` */
export function parseOutput(text: string, cwd: string): RootfsOutput {
  if (text === '-') return { type: 'tar', dest: '-' };
  if (!text.includes('=')) return { type: 'local', dest: resolve(cwd, text) };
  const fields = new Map(
    text.split(',').map((field): [string, string] => {
      const at = field.indexOf('=');
      if (at === -1)
        throw new BuilderError(
          'usage.invalid',
          `invalid output ${JSON.stringify(text)}: ${JSON.stringify(field)} is not KEY=VALUE`,
        );
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
  for (const key of fields.keys()) {
    if (key !== 'type' && key !== 'dest')
      throw new BuilderError(
        'usage.invalid',
        `invalid output ${JSON.stringify(text)}: unknown key ${JSON.stringify(key)}`,
      );
  }
  const type = fields.get('type');
  const dest = fields.get('dest');
  if (type !== 'local' && type !== 'tar') {
    throw new BuilderError('usage.unsupported', `output type ${JSON.stringify(type ?? '')} is not supported`, {
      hint: 'use type=local or type=tar; images go to transports with -t, such as -t oci-archive:FILE',
    });
  }
  if (dest === undefined || dest === '')
    throw new BuilderError('usage.invalid', `invalid output ${JSON.stringify(text)}: dest is missing`);
  if (dest === '-') {
    if (type === 'local')
      throw new BuilderError('usage.invalid', 'a directory cannot be written to standard output', {
        hint: 'use type=tar',
      });
    return { type, dest };
  }
  return { type, dest: resolve(cwd, dest) };
}

export async function exportRootfs(
  engine: Engine,
  snapshot: SnapshotId | undefined,
  output: RootfsOutput,
): Promise<void> {
  await using view = await engine.snapshots.view(snapshot);
  if (output.type === 'tar') {
    const tar = Readable.from(diffTrees({ lower: undefined, merged: view.path }, { signal: engine.signal }));
    await pipeline(tar, output.dest === '-' ? process.stdout : createWriteStream(output.dest), {
      end: output.dest !== '-',
    });
    return;
  }
  mkdirSync(output.dest, { recursive: true });
  using root = new RootDirectory(view.path);
  const from = root.openDirectory('.');
  const to = openat(AT_FDCWD, output.dest, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await cloneTree(from, to, { signal: engine.signal });
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
