/** What applying a layer can be asked for. */
import type { TarEntry } from '../archive/tar-entry.ts';
import type { Emit } from '../report/event.ts';
import type { Cancellable } from '../spec/target.ts';

export interface ApplyOptions extends Cancellable {
  /** Told of what could not be done, as warnings. */
  readonly emit?: Emit | undefined;
  /** Called for each member of the archive before it is applied. */
  readonly onEntry?: ((entry: TarEntry) => void) | undefined;
  /** Keep the process's own ids where an owner is not mapped, instead of failing. */
  readonly ignoreChownErrors?: boolean | undefined;
}
