/** Debian packages: the status database, or one file per package where the image has no dpkg (distroless). @see dpkg(1) */
import { type CatalogContext, type Cataloger, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { type Fields, parseHeader, parseParagraphs } from '../field-text.ts';
import { distroQualifier, formatPurl } from '../purl.ts';

const STATUS = /(?:^|\/)var\/lib\/dpkg\/(?:status$|status\.d\/[^/]+$)/;
const MAX_COPYRIGHT = 512 * 1024;

export const dpkg: Cataloger = {
  name: 'dpkg status',
  evidence: 'installed',
  matches: (path) => STATUS.test(path) && !path.endsWith('.md5sums'),
  maxBytes: MAX_BYTES.database,
  read: (file, context) =>
    parseParagraphs(file.text()).flatMap((fields) => (isInstalled(fields) ? debianPackage(fields, context) : [])),
};

/** A removed package keeps its record until it is purged; the files of status.d have no Status. */
function isInstalled(fields: Fields): boolean {
  const status = fields.get('status');
  return status === undefined || status.split(/\s+/).at(-1) === 'installed';
}

function debianPackage(fields: Fields, context: CatalogContext): FoundPackage[] {
  const name = fields.get('package');
  const version = fields.get('version');
  if (name === undefined || version === undefined) return [];
  const licenses = readLicenses(name, context);
  const supplier = fields.get('maintainer');
  const homepage = fields.get('homepage');
  return [
    {
      purl: formatPurl({
        type: 'deb',
        namespace: context.distribution?.id ?? 'debian',
        name,
        version,
        qualifiers: {
          arch: fields.get('architecture'),
          distro: distroQualifier(context.distribution),
          upstream: upstreamOf(fields.get('source'), name, version),
        },
      }),
      name,
      version,
      ...(licenses.length === 0 ? {} : { licenses }),
      ...(supplier === undefined ? {} : { supplier }),
      ...(homepage === undefined ? {} : { homepage }),
    },
  ];
}

/** `Source: glibc (2.36-9)`: the source package, with its version where it has another one. */
function upstreamOf(source: string | undefined, name: string, version: string): string | undefined {
  const match = /^(\S+)(?:\s+\(([^)]+)\))?$/.exec(source ?? '');
  if (match === null) return undefined;
  const [, sourceName, sourceVersion] = match;
  if (sourceVersion !== undefined && sourceVersion !== version) return `${sourceName}@${sourceVersion}`;
  return sourceName === name ? undefined : sourceName;
}

/** Short names of a machine-readable copyright file; free text says nothing reliable. @see DEP-5 */
function readLicenses(name: string, { root }: CatalogContext): string[] {
  if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name)) return [];
  const text = root.textIfAny(`usr/share/doc/${name}/copyright`, MAX_COPYRIGHT);
  if (text === undefined || !parseHeader(text).has('format')) return [];
  const names = parseParagraphs(text).flatMap((fields) => {
    const [first = ''] = (fields.get('license') ?? '').split('\n');
    return first.trim() === '' ? [] : [first.trim()];
  });
  return [...new Set(names)].sort();
}
