/** Additional build contexts: `--build-context name=place`. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import type { Engine } from '../container/engine.ts';
import { isRemoteContext } from '../container/remote-context.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { FetchContext } from './build-context.ts';
import { publicInput } from './build-inputs.ts';
import type { SourceGate } from './source-gate.ts';

export type NamedContext =
  /** What was fetched is no local directory: its ignore file, if it has one, is a file like any other. */
  | {
      readonly kind: 'directory';
      readonly dir: string;
      readonly isLocal: boolean;
      /** Seconds since the epoch, for what was fetched. */
      modifiedAt?(): number | undefined;
      /** Where what was fetched came from. */
      readonly input?: FetchedInput;
    }
  | { readonly kind: 'image'; readonly reference: string };

const IMAGE = /^(?:docker-image|container-image|docker):\/\//;

interface Access {
  /** Asked about directories of this machine. */
  readonly gate: SourceGate;
  readonly fetch: FetchContext;
}

/** @throws `usage.invalid`, `context.invalid`, `usage.unsupported`, and what gate and fetching throw */
export async function openNamedContexts(
  engine: Engine,
  entries: readonly string[],
  access: Access,
): Promise<Map<string, NamedContext>> {
  const contexts = new Map<string, NamedContext>();
  for (const entry of entries) {
    const at = entry.indexOf('=');
    if (at <= 0) throw new BuilderError('usage.invalid', `--build-context ${JSON.stringify(entry)} must be NAME=PLACE`);
    const name = entry.slice(0, at);
    contexts.set(name, await openNamed(engine, name, entry.slice(at + 1), access));
  }
  return contexts;
}

async function openNamed(engine: Engine, name: string, place: string, access: Access): Promise<NamedContext> {
  if (IMAGE.test(place)) return { kind: 'image', reference: place.replace(IMAGE, '') };
  if (/^oci-layout:\/\//.test(place)) return { kind: 'image', reference: place.replace(/^oci-layout:\/\//, 'oci:') };
  if (isRemoteContext(place)) {
    const fetched = await access.fetch(engine, place);
    const input = publicInput(fetched.input);
    return { kind: 'directory', dir: fetched.dir, isLocal: false, input, modifiedAt: () => fetched.modifiedAt() };
  }
  const dir = resolve(engine.cwd, place);
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) {
    access.gate.requireLocal(name);
    return { kind: 'directory', dir, isLocal: true };
  }
  throw new BuilderError(
    'context.invalid',
    `the build context ${name} needs the directory ${dir}, which does not exist`,
  );
}
