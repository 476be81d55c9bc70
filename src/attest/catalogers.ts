/** All catalogers. One more is one file in `catalog/` and its name here. */
import { apk } from './catalog/apk.ts';
import { cargo } from './catalog/cargo.ts';
import { dotnet } from './catalog/dotnet.ts';
import { dpkg } from './catalog/dpkg.ts';
import { executable } from './catalog/executable.ts';
import { goMod } from './catalog/go-mod.ts';
import { java } from './catalog/java.ts';
import { npmInstalled, npmLock } from './catalog/npm.ts';
import { composerInstalled, composerLock } from './catalog/php.ts';
import { pnpm } from './catalog/pnpm.ts';
import { pipfileLock, pythonInstalled, pythonLock, requirements } from './catalog/python.ts';
import { rpm } from './catalog/rpm.ts';
import { gemfileLock, gemInstalled } from './catalog/ruby.ts';
import { yarn } from './catalog/yarn.ts';
import type { Cataloger } from './cataloger.ts';

export const CATALOGERS: readonly Cataloger[] = [
  dpkg,
  apk,
  rpm,
  npmInstalled,
  npmLock,
  yarn,
  pnpm,
  pythonInstalled,
  pythonLock,
  pipfileLock,
  requirements,
  gemInstalled,
  gemfileLock,
  cargo,
  goMod,
  java,
  composerInstalled,
  composerLock,
  dotnet,
  executable,
];
