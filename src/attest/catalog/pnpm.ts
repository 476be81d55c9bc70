/** pnpm-lock.yaml, versions 5 to 9. pnpm writes it, one key a line, so no YAML reader stands between it and us. */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { npmPurl } from '../purl.ts';
import { digestsOf } from '../subresource-integrity.ts';

export const pnpm: Cataloger = {
  name: 'pnpm lock file',
  evidence: 'declared',
  matches: endsWith('pnpm-lock.yaml'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => parsePnpmLock(file.text()),
};

/** Under `packages:`, each key of two spaces is a package; deeper lines describe it. */
function parsePnpmLock(text: string): FoundPackage[] {
  const [, section] = /(?:^|\n)packages:[ \t]*\n((?:(?:[ \t].*)?(?:\n|$))*)/.exec(text) ?? [];
  return (section ?? '').split(/\n?(?=^ {2}\S)/m).flatMap((block) => {
    const key = /^ {2}(?:'([^']+)'|"([^"]+)"|([^\s'"].*?)):\s*(?:\{.*)?$/m.exec(block);
    const identity = parseKey(key?.[1] ?? key?.[2] ?? key?.[3] ?? '');
    if (identity === undefined || /^ {4}dev: true\s*$/m.test(block)) return [];
    const { name, version } = identity;
    const integrity = /integrity: ([^,}\s]+)/.exec(block)?.[1];
    return [{ purl: npmPurl(name, version), name, version, ...digestsOf(integrity) }];
  });
}

/** `/name/1.0.0_peer`, `/name@1.0.0(peer@2)`, `name@1.0.0`; what comes from files or links has no version there. */
function parseKey(key: string): { readonly name: string; readonly version: string } | undefined {
  const match = /^\/?(@[^/@]+\/[^/@]+|[^/@]+)[@/](\d[^(_/]*)/.exec(key);
  return match === null ? undefined : { name: match[1]!, version: match[2]! };
}
