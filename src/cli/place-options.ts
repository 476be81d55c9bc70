/** From flags to how places are reached where no store stands in between. */
import type { PlaceOptions } from '../index.ts';
import type { CommandContext } from './command.ts';
import { registryOptions } from './registry-options.ts';
import { storeOptions } from './run-program.ts';

export async function placeOptions(c: CommandContext): Promise<PlaceOptions> {
  const { registriesConf, registriesConfDir, signaturePolicy } = storeOptions(c);
  const files = { registriesConf, registriesConfDir, signaturePolicy };
  return { ...(await registryOptions(c)), ...files, env: c.env, signal: c.signal };
}
