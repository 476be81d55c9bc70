/** .NET: the dependency manifest beside a published program. @see learn.microsoft.com, "runtimeconfig.json and deps.json" */
import { type Cataloger, MAX_BYTES } from '../cataloger.ts';
import { asText, entriesOf, member, parseJsonObject } from '../json-shape.ts';
import { formatPurl } from '../purl.ts';
import { digestsOf } from '../subresource-integrity.ts';

export const dotnet: Cataloger = {
  name: '.NET deps.json',
  evidence: 'installed',
  matches: (path) => path.endsWith('.deps.json'),
  maxBytes: MAX_BYTES.lock,
  read: (file) =>
    entriesOf(parseJsonObject(file.text())['libraries']).flatMap(([key, library]) => {
      const slash = key.indexOf('/');
      if (slash === -1 || asText(member(library, 'type')) !== 'package') return [];
      const name = key.slice(0, slash);
      const version = key.slice(slash + 1);
      return [
        { purl: formatPurl({ type: 'nuget', name, version }), name, version, ...digestsOf(member(library, 'sha512')) },
      ];
    }),
};
