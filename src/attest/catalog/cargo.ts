/** Rust: Cargo.lock. What a binary says of itself is read beside Go's, see `executable.ts`. */
import { parse as parseToml } from 'smol-toml';
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { asArray, asText, member } from '../json-shape.ts';
import { formatPurl } from '../purl.ts';

export const cargo: Cataloger = {
  name: 'Cargo.lock',
  evidence: 'declared',
  matches: endsWith('Cargo.lock'),
  maxBytes: MAX_BYTES.lock,
  read: (file) =>
    asArray(parseToml(file.text())['package']).flatMap((entry): FoundPackage[] => {
      const name = asText(member(entry, 'name'));
      const version = asText(member(entry, 'version'));
      // Without a source it is a crate of the workspace itself.
      if (name === undefined || version === undefined || member(entry, 'source') === undefined) return [];
      const checksum = asText(member(entry, 'checksum'));
      return [
        {
          purl: formatPurl({ type: 'cargo', name, version }),
          name,
          version,
          ...(checksum !== undefined && /^[0-9a-f]{64}$/.test(checksum)
            ? { digests: [{ algorithm: 'SHA-256' as const, hex: checksum }] }
            : {}),
        },
      ];
    }),
};
