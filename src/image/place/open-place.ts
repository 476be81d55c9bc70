/** Places named on a command line, where no store stands in between: the transport has to be said. */
import { loadRegistriesConf } from '../../registry/registries-conf.ts';
import type { RepositoryOptions } from '../../registry/repository.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Emit } from '../../report/event.ts';
import { type ImageName, parseImageName, TRANSPORTS, type TransportName } from '../../spec/image-name.ts';
import type { Cancellable } from '../../spec/target.ts';
import { callerUid } from '../../sys/host.ts';
import { loadPolicy } from '../../trust/load-policy.ts';
import { type Admit, placeAdmission } from '../admission.ts';
import { openTransport } from '../transport/open-transport.ts';
import type { OpenTarget } from '../transport/transport.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How places are reached. */
export interface PlaceOptions extends Cancellable {
  readonly env?: Environment | undefined;
  readonly registriesConf?: string | undefined;
  readonly registriesConfDir?: string | undefined;
  /** policy.json instead of the machine's. */
  readonly signaturePolicy?: string | undefined;
  /** undefined: as registries.conf says. */
  readonly tlsVerify?: boolean | undefined;
  readonly certDir?: string | undefined;
  readonly authfile?: string | undefined;
  readonly creds?: { readonly username: string; readonly password: string } | undefined;
  readonly retries?: number | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly emit?: Emit | undefined;
}

export type PlaceName = ImageName & { readonly transport: TransportName };

/** @throws `reference.invalid` for a name without transport */
export function parsePlace(name: string): PlaceName {
  const { transport, location } = parseImageName(name);
  if (transport !== undefined) return { transport, location };
  throw new BuilderError('reference.invalid', `${JSON.stringify(name)} does not say which transport it means`, {
    hint: `write docker://${name} for a registry; other transports are ${TRANSPORTS.slice(1)
      .map((known) => `${known}:`)
      .join(', ')}`,
  });
}

export function openPlace(name: PlaceName, access: 'read' | 'write', o: PlaceOptions = {}): Promise<OpenTarget> {
  const env = o.env ?? process.env;
  const { tlsVerify, certDir, authfile, creds, retries, retryDelayMs, signal } = o;
  const registry: RepositoryOptions = { env, tlsVerify, certDir, authfile, creds, retries, retryDelayMs, emit: o.emit };
  return openTransport(name.transport, name.location, access, {
    registry,
    registriesConf: loadRegistriesConf({ path: o.registriesConf, dir: o.registriesConfDir, env, uid: callerUid(env) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The gate for the image at an open place, as policy.json has it. @throws `trust.invalid`, `image.untrusted` */
export function admitAt(name: PlaceName, place: OpenTarget, o: PlaceOptions): Admit {
  const policy = loadPolicy({ path: o.signaturePolicy, env: o.env });
  return placeAdmission(policy, name.transport, name.location, place);
}
