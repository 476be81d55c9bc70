/** npm: what node_modules holds, and what package-lock.json declares. @see docs.npmjs.com, package-lock.json */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { asArray, asObject, asText, entriesOf, member, parseJsonObject } from '../json-shape.ts';
import { npmPurl } from '../purl.ts';
import { digestsOf } from '../subresource-integrity.ts';

const INSTALLED = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/;
const MAX_NESTING = 64;

export const npmInstalled: Cataloger = {
  name: 'npm package',
  evidence: 'installed',
  matches: (path) => path.endsWith('/package.json') && INSTALLED.test(path),
  maxBytes: MAX_BYTES.description,
  read: (file) => {
    const manifest = parseJsonObject(file.text());
    const name = asText(manifest['name']);
    const version = asText(manifest['version']);
    // Folders for module kinds hold a package.json without a name: no packages.
    if (name === undefined || version === undefined) return [];
    const licenses = licensesOf(manifest);
    const supplier = personOf(manifest['author']);
    const homepage = asText(manifest['homepage']);
    return [
      {
        purl: npmPurl(name, version),
        name,
        version,
        ...(licenses.length === 0 ? {} : { licenses }),
        ...(supplier === undefined ? {} : { supplier }),
        ...(homepage === undefined ? {} : { homepage }),
      },
    ];
  },
};

export const npmLock: Cataloger = {
  name: 'npm lock file',
  evidence: 'declared',
  matches: (path) => endsWith('package-lock.json', 'npm-shrinkwrap.json')(path) && !path.includes('node_modules/'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => {
    const lock = parseJsonObject(file.text());
    const packages = asObject(lock['packages']);
    return packages === undefined ? nested(lock['dependencies'], 0) : flat(packages);
  },
};

/** `license: text`, and the forms of old: an object, a list of objects. */
function licensesOf(manifest: object): string[] {
  const license = member(manifest, 'license');
  const stated = [license, ...asArray(member(manifest, 'licenses'))];
  return stated.flatMap((entry) => asText(entry) ?? asText(member(entry, 'type')) ?? []);
}

function personOf(author: unknown): string | undefined {
  if (typeof author === 'string') return asText(author.replace(/\s*\([^)]*\)$/, ''));
  const name = asText(member(author, 'name'));
  const email = asText(member(author, 'email'));
  return name === undefined || email === undefined ? name : `${name} <${email}>`;
}

/** Versions 2 and 3: keys are places in node_modules. Links lead to packages listed elsewhere. */
function flat(packages: object): FoundPackage[] {
  return entriesOf(packages).flatMap(([place, entry]) => {
    const at = place.lastIndexOf('node_modules/');
    if (at === -1 || member(entry, 'link') === true) return [];
    return locked(asText(member(entry, 'name')) ?? place.slice(at + 'node_modules/'.length), entry);
  });
}

/** Version 1: dependencies inside dependencies. */
function nested(dependencies: unknown, depth: number): FoundPackage[] {
  if (depth > MAX_NESTING) throw new Error(`its dependencies are nested more than ${MAX_NESTING} deep`);
  return entriesOf(dependencies).flatMap(([name, entry]) => [
    ...locked(name, entry),
    ...nested(member(entry, 'dependencies'), depth + 1),
  ]);
}

function locked(name: string, entry: unknown): FoundPackage[] {
  const version = asText(member(entry, 'version'));
  if (version === undefined || member(entry, 'dev') === true) return [];
  const license = asText(member(entry, 'license'));
  return [
    {
      purl: npmPurl(name, version),
      name,
      version,
      ...(license === undefined ? {} : { licenses: [license] }),
      ...digestsOf(member(entry, 'integrity')),
    },
  ];
}
