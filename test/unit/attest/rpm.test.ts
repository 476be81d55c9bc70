import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeInventory } from '../../../src/attest/inventory.ts';
import type { Inventory } from '../../../src/attest/software.ts';
import { FileTree } from '../../support/file-tree.ts';
import { berkeleyFile, ndbFile, rpmHeader, sqlitePages, walFile } from './rpm-fixtures.ts';

const BASH = rpmHeader({
  1000: 'bash',
  1001: '5.2.26',
  1002: '1.fc40',
  1003: 0,
  1011: 'Fedora Project',
  1014: 'GPL-3.0-or-later',
  1020: 'https://www.gnu.org/software/bash',
  1022: 'x86_64',
  1044: 'bash-5.2.26-1.fc40.src.rpm',
});
const SHADOW = rpmHeader({
  1000: 'shadow-utils',
  1001: '4.15',
  1002: '2',
  1003: 2,
  1004: 'x'.repeat(3000),
  1022: 'noarch',
});
const KEY = rpmHeader({ 1000: 'gpg-pubkey', 1001: 'a15b79cc', 1002: '63d04c2c' });
const BLOBS = [BASH, SHADOW, KEY];
const FEDORA = 'ID=fedora\nVERSION_ID=40\n';
const EXPECTED = [
  'pkg:rpm/fedora/bash@5.2.26-1.fc40?arch=x86_64&distro=fedora-40&upstream=bash-5.2.26-1.fc40.src.rpm',
  'pkg:rpm/fedora/shadow-utils@4.15-2?arch=noarch&distro=fedora-40&epoch=2',
];

function inventoryOf(files: Readonly<Record<string, Buffer>>): Inventory {
  using tree = new FileTree({ 'etc/os-release': FEDORA, ...files });
  return takeInventory({ root: tree.path });
}
const purls = ({ packages }: Inventory): string[] => packages.map(({ purl }) => purl);

const KINDS: Readonly<Record<string, Buffer>> = {
  'usr/lib/sysimage/rpm/rpmdb.sqlite': Buffer.concat(sqlitePages(BLOBS)),
  'usr/lib/sysimage/rpm/Packages.db': ndbFile(BLOBS),
  'var/lib/rpm/Packages': berkeleyFile([Buffer.alloc(4), ...BLOBS]),
};

for (const [path, content] of Object.entries(KINDS)) {
  it(`packages of ${path}`, () => {
    const inventory = inventoryOf({ [path]: content });
    assert.deepEqual(inventory.warnings, []);
    assert.deepEqual(purls(inventory), EXPECTED);
    assert.deepEqual(inventory.packages[0]?.licenses, ['GPL-3.0-or-later']);
    assert.equal(inventory.packages[0]?.supplier, 'Fedora Project');
    assert.equal(inventory.packages[1]?.version, '2:4.15-2');
  });
}

describe('the log of an SQLite database', () => {
  const path = 'var/lib/rpm/rpmdb.sqlite';
  const old = sqlitePages([]);
  const now = sqlitePages(BLOBS);
  const frames = now.map((page, i) => [i + 1, page] as const);

  it('holds the newest pages', () => {
    const wal = walFile([frames.slice(2), frames.slice(0, 2)]);
    assert.deepEqual(purls(inventoryOf({ [path]: Buffer.concat(old), [`${path}-wal`]: wal })), EXPECTED);
  });

  it('counts as far as its checksums hold', () => {
    const wal = walFile([frames]);
    wal[wal.length - 1]! ^= 1;
    assert.deepEqual(purls(inventoryOf({ [path]: Buffer.concat(old), [`${path}-wal`]: wal })), []);
  });

  it('does not count what was not committed', () => {
    const wal = walFile([frames]).subarray(0, -1);
    assert.deepEqual(purls(inventoryOf({ [path]: Buffer.concat(old), [`${path}-wal`]: wal })), []);
  });
});

describe('damaged databases', () => {
  for (const [path, content] of Object.entries(KINDS)) {
    it(`${path}: any single byte may be wrong`, () => {
      for (let at = 0; at < content.length; at += 13) {
        const bytes = Buffer.from(content);
        bytes[at]! ^= 0xff;
        using damaged = new FileTree({ [path]: bytes });
        const { packages, warnings } = takeInventory({ root: damaged.path });
        assert.ok(packages.length <= 3 && warnings.length <= 1, `byte ${at}`);
      }
    });

    it(`${path}: it may be cut off anywhere`, () => {
      for (let length = 0; length < content.length; length += 97) {
        using damaged = new FileTree({ [path]: content.subarray(0, length) });
        assert.ok(takeInventory({ root: damaged.path }).packages.length <= 2);
      }
    });
  }

  it('packages before the damage are kept, and the damage is told', () => {
    const blobs = [BASH, Buffer.from('no header at all, but long enough to be one')];
    const { packages, warnings } = inventoryOf({ 'usr/lib/sysimage/rpm/Packages.db': ndbFile(blobs) });
    assert.equal(packages.length, 1);
    assert.match(warnings[0]!, /^cannot read \/usr\/lib\/sysimage\/rpm\/Packages\.db as rpm database: /);
  });

  it('pages that lead back to themselves end', () => {
    const pages = sqlitePages(BLOBS);
    pages[1]!.writeUInt32BE(2, 8);
    const { warnings } = inventoryOf({ 'var/lib/rpm/rpmdb.sqlite': Buffer.concat(pages) });
    assert.match(warnings[0]!, /part of a loop/);
  });
});
