/** Which distribution a root is. @see os-release(5) */
import type { RootFiles } from './root-files.ts';
import type { Distribution } from './software.ts';

const MAX_BYTES = 64 * 1024;

/** Reads /etc/os-release, or the vendor's copy of it. */
export function readDistribution(root: RootFiles): Distribution | undefined {
  const text = root.textIfAny('etc/os-release', MAX_BYTES) ?? root.textIfAny('usr/lib/os-release', MAX_BYTES);
  return text === undefined ? undefined : parseOsRelease(text);
}

/** Undefined when the text names no ID. */
export function parseOsRelease(text: string): Distribution | undefined {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(.*?)\s*$/.exec(line);
    if (match !== null) values.set(match[1]!, unquote(match[2]!));
  }
  const value = (name: string): string | undefined => values.get(name) || undefined;
  const id = value('ID');
  if (id === undefined) return undefined;
  const versionId = value('VERSION_ID');
  const codename = value('VERSION_CODENAME');
  const prettyName = value('PRETTY_NAME');
  return {
    id: id.toLowerCase(),
    ...(versionId === undefined ? {} : { versionId }),
    ...(codename === undefined ? {} : { codename }),
    ...(prettyName === undefined ? {} : { prettyName }),
  };
}

/** Values may be quoted like a shell's; in double quotes `\` escapes. */
function unquote(text: string): string {
  if (text.length >= 2 && text.startsWith("'") && text.endsWith("'")) return text.slice(1, -1);
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) {
    return text.slice(1, -1).replaceAll(/\\([\\"$`])/g, '$1');
  }
  return text;
}
