/** A Go module as a package. */
import type { FoundPackage } from './cataloger.ts';
import { formatPurl } from './purl.ts';

/** `github.com/x/y` at `v1.2.3`: the last component is the name, the rest the namespace. */
export function goPackage(path: string, version: string): FoundPackage {
  const slash = path.lastIndexOf('/');
  return {
    purl: formatPurl({
      type: 'golang',
      namespace: slash === -1 ? undefined : path.slice(0, slash),
      name: path.slice(slash + 1),
      version: version === '(devel)' ? undefined : version,
    }),
    name: path,
    version: version === '(devel)' ? '' : version,
  };
}
