/** Alpine packages: paragraphs of `letter:value` lines. @see apk-tools, "installed" database */
import { type Cataloger, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { distroQualifier, formatPurl } from '../purl.ts';
import type { Distribution } from '../software.ts';

export const apk: Cataloger = {
  name: 'apk database',
  evidence: 'installed',
  matches: (path) => /(?:^|\/)lib\/apk\/db\/installed$/.test(path),
  maxBytes: MAX_BYTES.database,
  read: (file, { distribution }) =>
    file
      .text()
      .split('\n\n')
      .flatMap((paragraph) => alpinePackage(paragraph, distribution)),
};

function alpinePackage(paragraph: string, distribution: Distribution | undefined): FoundPackage[] {
  const fields = new Map<string, string>();
  for (const line of paragraph.split('\n')) {
    if (line[1] === ':' && !fields.has(line[0]!)) fields.set(line[0]!, line.slice(2).trim());
  }
  const name = fields.get('P');
  const version = fields.get('V');
  if (name === undefined || version === undefined) return [];
  const origin = fields.get('o');
  const license = fields.get('L');
  const supplier = fields.get('m');
  const homepage = fields.get('U');
  return [
    {
      purl: formatPurl({
        type: 'apk',
        namespace: distribution?.id ?? 'alpine',
        name,
        version,
        qualifiers: {
          arch: fields.get('A'),
          distro: distroQualifier(distribution),
          upstream: origin === name ? undefined : origin,
        },
      }),
      name,
      version,
      ...(license === undefined || license === '' ? {} : { licenses: [license] }),
      ...(supplier === undefined || supplier === '' ? {} : { supplier }),
      ...(homepage === undefined || homepage === '' ? {} : { homepage }),
    },
  ];
}
