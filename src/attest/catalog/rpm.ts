/** rpm packages in each of the three databases rpm has had. */
import type { ByteSource } from '../byte-source.ts';
import { type CatalogContext, type Cataloger, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { distroQualifier, formatPurl } from '../purl.ts';
import type { RootFile } from '../root-files.ts';
import { berkeleyValues } from '../rpm/berkeley-hash.ts';
import { ndbBlobs } from '../rpm/ndb.ts';
import { parseRpmHeader, type RpmHeader } from '../rpm/rpm-header.ts';
import { SqliteDatabase } from '../rpm/sqlite-table.ts';

const DATABASE = /(?:^|\/)(?:var\/lib|usr\/lib\/sysimage|usr\/share)\/rpm\/(?:rpmdb\.sqlite|Packages\.db|Packages)$/;
/** Packages' own keys are kept as packages of this name. */
const KEYS = 'gpg-pubkey';

export const rpm: Cataloger = {
  name: 'rpm database',
  evidence: 'installed',
  matches: (path) => DATABASE.test(path),
  // Read in pieces, each with a bound of its own.
  maxBytes: MAX_BYTES.database,
  *read(file, context) {
    for (const blob of headerBlobs(file, context)) {
      const header = parseRpmHeader(blob);
      if (header.name !== KEYS) yield rpmPackage(header, context);
    }
  },
};

function* headerBlobs(file: RootFile, { root }: CatalogContext): Generator<Buffer> {
  if (file.path.endsWith('.db')) {
    yield* ndbBlobs(file.source);
  } else if (file.path.endsWith('.sqlite')) {
    // Collected while the log is open: pages are read on demand.
    const path = `${file.path.slice(1)}-wal`;
    yield* root.with(path, MAX_BYTES.database, (wal) => [...sqliteBlobs(file.source, wal.source)]) ??
      sqliteBlobs(file.source);
  } else {
    // The entry of key 0 is a counter; every other value is a header.
    for (const value of berkeleyValues(file.source)) if (value.length > 16) yield value;
  }
}

function* sqliteBlobs(file: ByteSource, wal?: ByteSource): Generator<Buffer> {
  for (const row of new SqliteDatabase(file, wal).rows('Packages')) {
    const blob = row[1];
    if (Buffer.isBuffer(blob)) yield blob;
  }
}

function rpmPackage(header: RpmHeader, { distribution }: CatalogContext): FoundPackage {
  const version = header.release === '' ? header.version : `${header.version}-${header.release}`;
  return {
    purl: formatPurl({
      type: 'rpm',
      namespace: distribution?.id,
      name: header.name,
      version,
      qualifiers: {
        arch: header.arch,
        distro: distroQualifier(distribution),
        epoch: header.epoch === undefined || header.epoch === 0 ? undefined : String(header.epoch),
        upstream: header.sourceRpm,
        rpmmod: header.modularityLabel,
      },
    }),
    name: header.name,
    version: header.epoch === undefined || header.epoch === 0 ? version : `${header.epoch}:${version}`,
    ...(header.license === undefined ? {} : { licenses: [header.license] }),
    ...(header.vendor === undefined ? {} : { supplier: header.vendor }),
    ...(header.url === undefined ? {} : { homepage: header.url }),
  };
}
