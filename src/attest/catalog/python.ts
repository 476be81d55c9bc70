/** Python: installed distributions and the lock files of pip, Pipenv, Poetry, PDM and uv. @see packaging.python.org, core metadata */
import { parse as parseToml } from 'smol-toml';
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { allValues, parseHeader } from '../field-text.ts';
import { asArray, asText, entriesOf, member, parseJsonObject } from '../json-shape.ts';
import { formatPurl } from '../purl.ts';

export const pythonInstalled: Cataloger = {
  name: 'Python metadata',
  evidence: 'installed',
  matches: (path) => /\.(?:dist-info\/METADATA|egg-info\/PKG-INFO|egg-info)$/.test(path),
  maxBytes: MAX_BYTES.description,
  read: (file) => {
    const text = file.text();
    const fields = parseHeader(text);
    const name = fields.get('name');
    const version = fields.get('version');
    if (name === undefined || version === undefined) throw new Error('it names no distribution and version');
    const licenses = licensesOf(text);
    const supplier = fields.get('author-email') || fields.get('author');
    const homepage = fields.get('home-page');
    return [
      {
        ...pypi(name, version),
        ...(licenses.length === 0 ? {} : { licenses }),
        ...(supplier === undefined || supplier === '' ? {} : { supplier: supplier.split('\n')[0]! }),
        ...(homepage === undefined || homepage === '' || homepage === 'UNKNOWN' ? {} : { homepage }),
      },
    ];
  },
};

export const requirements: Cataloger = {
  name: 'pip requirements',
  evidence: 'declared',
  matches: (path) => /(?:^|\/)[^/]*requirements[^/]*\.txt$/.test(path),
  maxBytes: MAX_BYTES.description,
  // Only `name==version` says what is installed; a range does not.
  read: (file) =>
    file
      .text()
      .replaceAll(/\\\r?\n/g, ' ')
      .split(/\r?\n/)
      .flatMap((line) => {
        const match = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([^\s;#,*]+)\s*(?:[;#]|--|$)/.exec(
          line,
        );
        return match === null ? [] : [pypi(match[1]!, match[2]!)];
      }),
};

export const pipfileLock: Cataloger = {
  name: 'Pipfile.lock',
  evidence: 'declared',
  matches: endsWith('Pipfile.lock'),
  maxBytes: MAX_BYTES.lock,
  read: (file) =>
    entriesOf(parseJsonObject(file.text())['default']).flatMap(([name, entry]) => {
      const match = /^==(.+)$/.exec(asText(member(entry, 'version')) ?? '');
      return match === null ? [] : [pypi(name, match[1]!)];
    }),
};

export const pythonLock: Cataloger = {
  name: 'Python lock file',
  evidence: 'declared',
  matches: endsWith('poetry.lock', 'pdm.lock', 'uv.lock'),
  maxBytes: MAX_BYTES.lock,
  read: (file) =>
    asArray(parseToml(file.text())['package']).flatMap((entry) => {
      const name = asText(member(entry, 'name'));
      const version = asText(member(entry, 'version'));
      if (name === undefined || version === undefined) return [];
      // The project itself, which uv lists, comes from a directory.
      const source = member(entry, 'source');
      if (member(source, 'virtual') !== undefined || member(source, 'editable') !== undefined) return [];
      return member(entry, 'category') === 'dev' ? [] : [pypi(name, version)];
    }),
};

function pypi(name: string, version: string): FoundPackage {
  return { purl: formatPurl({ type: 'pypi', name, version }), name, version };
}

/** An expression (PEP 639) is definite; else the field, if it is a name rather than a text; else classifiers. */
function licensesOf(text: string): string[] {
  const fields = parseHeader(text);
  const expression = fields.get('license-expression');
  if (expression !== undefined && expression !== '') return [expression];
  const license = fields.get('license');
  if (license !== undefined && license !== '' && license !== 'UNKNOWN' && !license.includes('\n')) return [license];
  return allValues(text, 'classifier')
    .filter((value) => value.startsWith('License ::'))
    .map((value) => value.split('::').at(-1)!.trim())
    .filter((value) => value !== 'OSI Approved');
}
