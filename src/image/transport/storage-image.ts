/** What `containers-storage:` names: `[[DRIVER@]GRAPHROOT[+RUNROOT][:OPTION,…]]NAME`, with `@ID` or an id for NAME. */
import { BuilderError } from '../../report/builder-error.ts';
import { formatReference, parseReference, qualify, withDefaultTag } from '../../spec/reference.ts';

export interface StorageImage {
  /** As it was given. */
  readonly location: string;
  /** Each '' where the tool decides. */
  readonly driver: string;
  readonly graphRoot: string;
  readonly runRoot: string;
  readonly options: readonly string[];
  /** Full; a short name is one of docker.io, as everywhere behind this transport. */
  readonly name: string | undefined;
  /** 64 hex digits, or their beginning. */
  readonly id: string | undefined;
  /** Id of an image that is being written, once it is known. */
  readonly configId?: string;
}

const ID = /^[0-9a-f]{3,64}$/;
const WHOLE_ID = /^[0-9a-f]{64}$/;

/** @throws `reference.invalid` */
export function parseStorageImage(location: string): StorageImage {
  const close = location.startsWith('[') ? location.indexOf(']') : -1;
  if (location.startsWith('[') && close === -1) throw invalid(location, 'the bracket is not closed');
  const store = close === -1 ? NO_STORE : parseStore(location, location.slice(1, close));
  return { location, ...store, ...parseImage(location, location.slice(close + 1)) };
}

type Store = Pick<StorageImage, 'driver' | 'graphRoot' | 'runRoot' | 'options'>;

const NO_STORE: Store = { driver: '', graphRoot: '', runRoot: '', options: [] };

function parseStore(location: string, text: string): Store {
  const at = text.indexOf('@');
  const colon = text.indexOf(':', at + 1);
  const places = text.slice(at + 1, colon === -1 ? undefined : colon);
  const plus = places.indexOf('+');
  const graphRoot = plus === -1 ? places : places.slice(0, plus);
  const runRoot = plus === -1 ? '' : places.slice(plus + 1);
  for (const path of [graphRoot, runRoot]) {
    if (path !== '' && !path.startsWith('/'))
      throw invalid(location, `${JSON.stringify(path)} is not an absolute path`);
  }
  return {
    driver: at === -1 ? '' : text.slice(0, at),
    graphRoot,
    runRoot,
    options:
      colon === -1
        ? []
        : text
            .slice(colon + 1)
            .split(',')
            .filter((option) => option !== ''),
  };
}

function parseImage(location: string, text: string): Pick<StorageImage, 'name' | 'id'> {
  if (text === '') throw invalid(location, 'it names no image');
  if (WHOLE_ID.test(text)) return { name: undefined, id: text };
  const at = text.lastIndexOf('@');
  const id = at === -1 ? '' : text.slice(at + 1);
  if (!ID.test(id)) return { name: fullName(text), id: undefined };
  return { name: at === 0 ? undefined : fullName(text.slice(0, at)), id };
}

function fullName(text: string): string {
  return formatReference(withDefaultTag(qualify(parseReference(text), 'docker.io')));
}

function invalid(location: string, why: string): BuilderError {
  return new BuilderError(
    'reference.invalid',
    `invalid image name ${JSON.stringify(`containers-storage:${location}`)}: ${why}`,
  );
}
