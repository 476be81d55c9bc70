/** Ruby: installed gem specifications and Gemfile.lock. A gemspec is a program; the installed ones have a fixed form. */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { formatPurl } from '../purl.ts';

export const gemInstalled: Cataloger = {
  name: 'gem specification',
  evidence: 'installed',
  matches: (path) => /(?:^|\/)specifications\/(?:[^/]+\/)?[^/]+\.gemspec$/.test(path),
  maxBytes: MAX_BYTES.description,
  read: (file) => {
    const text = file.text();
    const value = (field: string): string | undefined =>
      new RegExp(`^\\s*\\w+\\.${field}\\s*=\\s*["']([^"']+)["']`, 'm').exec(text)?.[1];
    const fileName = /\/([^/]+)-(\d[^/-]*)(?:-[^/]*)?\.gemspec$/.exec(file.path);
    const name = value('name') ?? fileName?.[1];
    const version = value('version') ?? fileName?.[2];
    if (name === undefined || version === undefined) throw new Error('it names no gem and version');
    const platform = value('platform');
    const licenses = licensesOf(text);
    const homepage = value('homepage');
    return [
      {
        ...gem(name, version, platform),
        ...(licenses.length === 0 ? {} : { licenses }),
        ...(homepage === undefined ? {} : { homepage }),
      },
    ];
  },
};

export const gemfileLock: Cataloger = {
  name: 'Gemfile.lock',
  evidence: 'declared',
  matches: endsWith('Gemfile.lock', 'gems.locked'),
  maxBytes: MAX_BYTES.lock,
  // Four spaces: a resolved gem; six: what it asks for.
  read: (file) =>
    [...file.text().matchAll(/^ {4}([A-Za-z0-9][\w.-]*) \((\d[^-\s)]*)(?:-([^\s)]+))?\)\r?$/gm)].map(
      ([, name, version, platform]) => gem(name!, version!, platform),
    ),
};

function gem(name: string, version: string, platform: string | undefined): FoundPackage {
  const qualifiers = { platform: platform === 'ruby' ? undefined : platform };
  return { purl: formatPurl({ type: 'gem', name, version, qualifiers }), name, version };
}

/** `s.licenses = ["MIT".freeze, "Ruby".freeze]`, `s.license = "MIT"`. */
function licensesOf(text: string): string[] {
  const stated = /^\s*\w+\.licenses?\s*=\s*(.*)$/m.exec(text)?.[1] ?? '';
  return [...stated.matchAll(/["']([^"']+)["']/g)].map((match) => match[1]!);
}
