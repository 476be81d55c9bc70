/** PHP: composer.lock, and installed.json where Composer has installed. @see getcomposer.org */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { asArray, asText, member } from '../json-shape.ts';
import { formatPurl } from '../purl.ts';

export const composerLock: Cataloger = {
  name: 'composer.lock',
  evidence: 'declared',
  matches: endsWith('composer.lock'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => composerPackages(JSON.parse(file.text())),
};

export const composerInstalled: Cataloger = {
  name: 'Composer record',
  evidence: 'installed',
  matches: endsWith('composer/installed.json'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => composerPackages(JSON.parse(file.text())),
};

/** An object with `packages`, or, of Composer 1, the list itself. */
function composerPackages(document: unknown): FoundPackage[] {
  const packages = Array.isArray(document) ? document : member(document, 'packages');
  return asArray(packages).flatMap((entry) => {
    const fullName = asText(member(entry, 'name'));
    const version = asText(member(entry, 'version'));
    if (fullName === undefined || version === undefined) return [];
    const slash = fullName.indexOf('/');
    const licenses = asArray(member(entry, 'license')).flatMap((license) => asText(license) ?? []);
    const homepage = asText(member(entry, 'homepage'));
    return [
      {
        purl: formatPurl({
          type: 'composer',
          namespace: slash === -1 ? undefined : fullName.slice(0, slash),
          name: fullName.slice(slash + 1),
          version,
        }),
        name: fullName,
        version,
        // Composer's list is a choice.
        ...(licenses.length === 0 ? {} : { licenses: [licenses.join(' OR ')] }),
        ...(homepage === undefined ? {} : { homepage }),
      },
    ];
  });
}
