/** Java: what the jars, wars and ears in the root say of themselves, and the jars inside them. @see JAR file specification; Maven archiver */
import { type ByteSource, bufferSource } from '../byte-source.ts';
import { type Cataloger, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { parseHeader } from '../field-text.ts';
import { formatPurl } from '../purl.ts';
import { readZip, type ZipMember } from '../zip.ts';

const ARCHIVE = /\.(?:jar|war|ear)$/;
/** An ear holds wars, a war holds jars; a jar in a jar in a jar is a bomb. */
const MAX_NESTING = 3;
const MAX_INNER = 128 * 1024 * 1024;

export const java: Cataloger = {
  name: 'Java archive',
  evidence: 'installed',
  matches: (path) => ARCHIVE.test(path),
  maxBytes: MAX_BYTES.database,
  read: (file) => archivePackages(file.source, file.path, 0),
};

function* archivePackages(source: ByteSource, path: string, depth: number): Generator<FoundPackage> {
  const members = readZip(source);
  if (members === undefined) throw new Error('it is not a zip archive');
  const maven = members.filter(({ name }) => /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/.test(name));
  const described = maven.flatMap((member) => mavenPackage(member, path));
  yield* described;
  if (described.length === 0) yield* manifestPackage(members, path);
  for (const member of members) {
    if (!ARCHIVE.test(member.name)) continue;
    if (depth + 1 > MAX_NESTING) throw new Error(`archives in it are nested more than ${MAX_NESTING} deep`);
    yield* archivePackages(bufferSource(member.read(MAX_INNER)), `${path}:${member.name}`, depth + 1);
  }
}

function mavenPackage(member: ZipMember, path: string): FoundPackage[] {
  const text = member.read(MAX_BYTES.description).toString('utf8');
  const value = (key: string): string | undefined => new RegExp(`^${key}\\s*=\\s*(\\S+)`, 'm').exec(text)?.[1];
  const group = value('groupId');
  const artifact = value('artifactId');
  const version = value('version');
  if (group === undefined || artifact === undefined || version === undefined) return [];
  const purl = formatPurl({ type: 'maven', namespace: group, name: artifact, version });
  return [{ purl, name: artifact, version, locations: [path] }];
}

/** Without Maven's record: the manifest's titles, the file's name for what it leaves out. */
function manifestPackage(members: readonly ZipMember[], path: string): FoundPackage[] {
  const manifest = members.find(({ name }) => name === 'META-INF/MANIFEST.MF');
  const text = manifest?.read(MAX_BYTES.description).toString('utf8') ?? '';
  // A line ends after 72 bytes and goes on after one space.
  const fields = parseHeader(text.replaceAll(/\r?\n /g, ''));
  const [, fileName, fileVersion] = /([^/:]+?)(?:-(\d[^/]*?))?\.(?:jar|war|ear)$/.exec(path) ?? [];
  const version = fields.get('implementation-version') ?? fileVersion ?? fields.get('bundle-version');
  const name = fileName ?? fields.get('implementation-title');
  if (name === undefined || version === undefined) return [];
  const namespace = fields.get('implementation-vendor-id');
  const license = fields.get('bundle-license');
  return [
    {
      purl: formatPurl({ type: 'maven', namespace, name, version }),
      name,
      version,
      locations: [path],
      ...(license === undefined || license.includes('://') ? {} : { licenses: [license] }),
    },
  ];
}
