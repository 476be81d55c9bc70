/** `version`: the release and what it follows, in Buildah's layout. */
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { IMAGE_SPEC, RUNTIME_SPEC, releaseVersion } from '../release.ts';

const LABEL_WIDTH = 16;

export async function version(c: CommandContext): Promise<number> {
  const platform = `${process.platform}/${{ x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch}`;
  const facts = [
    ['Version', 'version', releaseVersion()],
    ['Node Version', 'nodeVersion', process.version],
    ['Image Spec', 'imageSpec', IMAGE_SPEC],
    ['Runtime Spec', 'runtimeSpec', RUNTIME_SPEC],
    ['OS/Arch', 'osArch', platform],
  ] as const;
  if (c.flags.on('json')) {
    c.stdout.write(`${goJson(Object.fromEntries(facts.map(([, key, value]) => [key, value])), c.stdout.isTty)}\n`);
  } else {
    for (const [label, , value] of facts) c.stdout.write(`${`${label}:`.padEnd(LABEL_WIDTH)} ${value}\n`);
  }
  return 0;
}
