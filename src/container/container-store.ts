/** Working containers by name or id, and the names of new ones. */
import { randomBytes } from 'node:crypto';
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { Engine } from './engine.ts';
import type { WorkingContainer } from './working-container.ts';

/** Oldest first. */
export function listContainers(engine: Engine): WorkingContainer[] {
  return engine.store.containers.list().sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
}

export function findContainer(engine: Engine, nameOrId: string): WorkingContainer | undefined {
  const all = listContainers(engine);
  const exact = all.find((c) => c.name === nameOrId || c.id === nameOrId);
  if (exact !== undefined || !/^[0-9a-f]{1,63}$/.test(nameOrId)) return exact;
  const begun = all.filter((c) => c.id.startsWith(nameOrId));
  return begun.length === 1 ? begun[0] : undefined;
}

/** @throws `container.not-known` */
export function requireContainer(engine: Engine, nameOrId: string): WorkingContainer {
  const found = findContainer(engine, nameOrId);
  if (found !== undefined) return found;
  const near = suggest(
    nameOrId,
    listContainers(engine).map((c) => c.name),
  );
  throw new BuilderError(
    'container.not-known',
    `reading build container ${JSON.stringify(nameOrId)}: container not known`,
    {
      ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
    },
  );
}

/** Changes a record under its lock; the change sees the newest one. */
export async function editContainer(
  engine: Engine,
  nameOrId: string,
  change: (before: WorkingContainer) => WorkingContainer | Promise<WorkingContainer>,
): Promise<WorkingContainer> {
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  const before = requireContainer(engine, id);
  const after = await change(before);
  if (after !== before) engine.store.containers.put(id, after);
  return after;
}

/** Last path element of an image name, without tag and digest; a nameless image gives the start of its id. */
export function containerStem(imageName: string, imageId: string): string {
  const stem = imageName
    .replace(/^[a-z-]+:(\/\/)?/, '')
    .replace(/@.*$/, '')
    .split('/')
    .at(-1)!
    .replace(/:.*$/, '');
  return stem === '' ? imageId.slice(0, 12) : stem;
}

/**
 * Writes the record of a new container under a name nobody has: the one asked for, or `<stem>-<suffix>` with `-1`,
 * `-2`… behind it as needed.
 * @throws `container.exists`
 */
export async function createContainer(
  engine: Engine,
  names: {
    readonly wanted?: string | undefined;
    readonly stem: string | undefined;
    readonly suffix?: string | undefined;
    /** Of what was prepared for it; default a fresh one. */
    readonly id?: string;
  },
  make: (id: string, name: string) => WorkingContainer,
): Promise<WorkingContainer> {
  using _ = await engine.store.containers.lockAll({ signal: engine.signal });
  const taken = new Set(listContainers(engine).map((c) => c.name));
  const suffix = names.suffix ?? 'working-container';
  const plain = names.wanted ?? (names.stem === undefined ? suffix : `${names.stem}-${suffix}`);
  let name = plain;
  if (names.wanted !== undefined && taken.has(name)) {
    throw new BuilderError('container.exists', `the container name ${JSON.stringify(name)} is already in use`, {
      hint: 'remove that container or choose another --name',
    });
  }
  for (let n = 1; taken.has(name); n++) name = `${plain}-${n}`;
  const id = names.id ?? newContainerId();
  const container = make(id, name);
  engine.store.containers.put(id, container);
  return container;
}

/** 64 hex digits nobody else has. */
export function newContainerId(): string {
  return randomBytes(32).toString('hex');
}

/** @throws `container.exists` */
export async function renameContainer(engine: Engine, nameOrId: string, newName: string): Promise<void> {
  using _ = await engine.store.containers.lockAll({ signal: engine.signal });
  const container = requireContainer(engine, nameOrId);
  if (container.name === newName) {
    throw new BuilderError('container.exists', `renaming a container with the same name as its current name`);
  }
  if (listContainers(engine).some((c) => c.name === newName)) {
    throw new BuilderError('container.exists', `the container name ${JSON.stringify(newName)} is already in use`);
  }
  await editContainer(engine, container.id, (before) => ({ ...before, name: newName }));
}
