/** Inventories of real roots, held against what the package managers themselves say. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { takeInventory } from '../../src/attest/inventory.ts';
import { command, missingPrograms } from '../support/command.ts';

describe('Debian packages', { skip: missingPrograms('dpkg-query') }, () => {
  it('are those that dpkg-query lists', () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-dpkg-'));
    try {
      mkdirSync(join(root, 'var/lib/dpkg'), { recursive: true });
      mkdirSync(join(root, 'etc'));
      cpSync('/var/lib/dpkg/status', join(root, 'var/lib/dpkg/status'));
      cpSync('/etc/os-release', join(root, 'etc/os-release'), { dereference: true });
      const query = ['-W', '-f', '${db:Status-Status} ${Package} ${Version} ${Architecture}\n'];
      const listed = command('dpkg-query', ['--admindir', join(root, 'var/lib/dpkg'), ...query])
        .split('\n')
        .filter((line) => line.startsWith('installed '))
        .map((line) => line.slice('installed '.length))
        .sort();
      const { packages, warnings } = takeInventory({ root });
      assert.deepEqual(warnings, []);
      assert.ok(listed.length > 50);
      assert.deepEqual(
        packages.map(({ name, version, purl }) => `${name} ${version} ${/[?&]arch=([^&]+)/.exec(purl)?.[1]}`).sort(),
        listed,
      );
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

const SPEC = `Name: hello
Epoch: 3
Version: 1.2~rc1
Release: 4
Summary: says hello
License: MIT AND GPL-2.0-or-later
Vendor: Example
URL: https://example.org/hello
BuildArch: noarch
%description
%package more
Summary: says more
%description more
%prep
%build
%install
%files
%files more
`;
const QUERY = '%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{LICENSE} %{VENDOR} %{SOURCERPM}\n';

describe('rpm packages', { skip: missingPrograms('rpm', 'rpmbuild') }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-rpm-'));
  let built: string[] = [];
  before(() => {
    writeFileSync(join(scratch, 'hello.spec'), SPEC);
    command('rpmbuild', ['--quiet', '-bb', '--define', `_topdir ${scratch}/build`, join(scratch, 'hello.spec')]);
    const folder = join(scratch, 'build/RPMS/noarch');
    built = readdirSync(folder).map((name) => join(folder, name));
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  /** Installs into a root of its own; gives what rpm then lists. */
  function install(root: string): string[] {
    const words = ['--root', root, '--dbpath', '/var/lib/rpm'];
    mkdirSync(join(root, 'var/lib/rpm'), { recursive: true });
    command('rpm', [...words, '--initdb']);
    command('rpm', [...words, '-i', '--nodeps', '--noscripts', '--justdb', ...built]);
    return command('rpm', [...words, '-qa', '--qf', QUERY])
      .trim()
      .split('\n')
      .sort();
  }

  const found = (root: string): string[] => {
    const { packages, warnings } = takeInventory({ root });
    assert.deepEqual(warnings, []);
    return packages
      .map(({ name, version, licenses, supplier, purl }) => {
        const upstream = decodeURIComponent(/upstream=([^&]+)/.exec(purl)?.[1] ?? '');
        return `${name} ${version} ${licenses?.[0]} ${supplier} ${upstream}`;
      })
      .sort();
  };

  // Debian's rpm has no other backend; SUSE's format is held to a fixture in the unit tests.
  it('of the SQLite database are those that rpm lists', () => {
    const root = join(scratch, 'sqlite');
    const listed = install(root);
    assert.equal(listed.length, 2);
    assert.deepEqual(found(root), listed);
  });

  it('of a Berkeley database are those that rpm lists', { skip: missingPrograms('db5.3_load', 'sqlite3') }, () => {
    const root = join(scratch, 'sqlite-source');
    const listed = install(root);
    const database = join(scratch, 'bdb/var/lib/rpm');
    mkdirSync(database, { recursive: true });
    // rpm no longer writes these; Berkeley DB's own tool does, from the headers rpm has written.
    const script = `select '00', '00000000' union all select hex(hnum), hex(blob) from Packages`;
    const rows = command('sqlite3', ['-separator', '\n ', join(root, 'var/lib/rpm/rpmdb.sqlite'), script]);
    const body = rows
      .trim()
      .split('\n')
      .map((line) => ` ${line.trim().toLowerCase()}`);
    const dump = ['VERSION=3', 'format=bytevalue', 'type=hash', 'HEADER=END', ...body, 'DATA=END', ''].join('\n');
    command('db5.3_load', [join(database, 'Packages')], { input: dump });
    assert.ok(existsSync(join(database, 'Packages')));
    assert.deepEqual(found(join(scratch, 'bdb')), listed);
  });
});
