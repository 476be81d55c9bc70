/** Each kind of record as it lies in a root, and what is found there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { takeInventory } from '../../../src/attest/inventory.ts';
import type { Inventory } from '../../../src/attest/software.ts';
import { FileTree } from '../../support/file-tree.ts';
import { elfFile, zipFile } from './package-fixtures.ts';

type Files = ConstructorParameters<typeof FileTree>[0];

function inventoryOf(files: Files): Inventory {
  using tree = new FileTree(files);
  return takeInventory({ root: tree.path });
}

const purls = (files: Files): string[] => {
  const { packages, warnings } = inventoryOf(files);
  assert.deepEqual(warnings, []);
  return packages.map(({ purl }) => purl);
};

const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n';
const ALPINE = "NAME='Alpine Linux'\nID=alpine\nVERSION_ID=3.20.1\n";
const SHA512 = Buffer.alloc(64, 7);
const INTEGRITY = `sha512-${SHA512.toString('base64')}`;

describe('Debian', () => {
  it('installed packages, with source, epoch and licences', () => {
    const { packages, distribution, warnings } = inventoryOf({
      'etc/os-release': { link: '../usr/lib/os-release' },
      'usr/lib/os-release': DEBIAN,
      'var/lib/dpkg/status': [
        'Package: libc6\nStatus: install ok installed\nMaintainer: GNU Libc <libc@debian.org>\nArchitecture: amd64\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u4\nHomepage: https://gnu.org/\nDescription: C library\n long text\n  Package: not-one\n',
        'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n',
        'Package: attr\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2.5\n',
      ].join('\n'),
      'usr/share/doc/libc6/copyright':
        'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1+\n text\n\nFiles: x\nLicense: Expat\n',
      'usr/share/doc/attr/copyright': 'Free text.\n\nLicense: not a field\n',
    });
    assert.deepEqual(warnings, []);
    assert.deepEqual(distribution, {
      id: 'debian',
      versionId: '12',
      codename: 'bookworm',
      prettyName: 'Debian GNU/Linux 12 (bookworm)',
    });
    assert.deepEqual(packages, [
      {
        purl: 'pkg:deb/debian/attr@1:2.5?arch=all&distro=debian-12',
        name: 'attr',
        version: '1:2.5',
        locations: ['/var/lib/dpkg/status'],
        evidence: 'installed',
      },
      {
        purl: 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc%402.36-9',
        name: 'libc6',
        version: '2.36-9+deb12u4',
        licenses: ['Expat', 'LGPL-2.1+'],
        supplier: 'GNU Libc <libc@debian.org>',
        homepage: 'https://gnu.org/',
        locations: ['/var/lib/dpkg/status'],
        evidence: 'installed',
      },
    ]);
  });

  it('distroless images have a file per package', () => {
    assert.deepEqual(
      purls({
        'etc/os-release': DEBIAN,
        'var/lib/dpkg/status.d/tzdata': 'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n',
        'var/lib/dpkg/status.d/tzdata.md5sums': 'Package: no\nVersion: 1\n',
      }),
      ['pkg:deb/debian/tzdata@2024a-0?arch=all&distro=debian-12'],
    );
  });
});

it('Alpine', () => {
  const { packages } = inventoryOf({
    'etc/os-release': ALPINE,
    'lib/apk/db/installed':
      'C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nT:the musl c library\nL:MIT\no:musl\nm:Timo <timo@alpine>\nU:https://musl.libc.org/\nF:lib\nR:ld.so\n\nP:musl-utils\nV:1.2.5-r0\nA:x86_64\nL:MIT AND BSD-2-Clause\no:musl\n',
  });
  assert.deepEqual(
    packages.map(({ purl, licenses }) => [purl, licenses]),
    [
      ['pkg:apk/alpine/musl-utils@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1&upstream=musl', ['MIT AND BSD-2-Clause']],
      ['pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1', ['MIT']],
    ],
  );
});

describe('JavaScript', () => {
  it('node_modules', () => {
    const { packages } = inventoryOf({
      'app/package.json': '{"name":"app","version":"1.0.0"}',
      'app/node_modules/@s/a/package.json':
        '{"name":"@s/a","version":"2.0.0","license":"MIT","author":{"name":"A","email":"a@b"},"homepage":"https://a.b"}',
      'app/node_modules/b/package.json':
        '{"name":"b","version":"1.0.0","licenses":[{"type":"MIT"},{"type":"BSD"}],"author":"B <b@c> (https://c)"}',
      'app/node_modules/b/esm/package.json': '{"type":"module"}',
      'app/node_modules/b/test/package.json': '{"name":"no","version":"1"}',
    });
    assert.deepEqual(
      packages.map(({ purl, licenses, supplier }) => [purl, licenses, supplier]),
      [
        ['pkg:npm/%40s/a@2.0.0', ['MIT'], 'A <a@b>'],
        ['pkg:npm/b@1.0.0', ['MIT', 'BSD'], 'B <b@c>'],
      ],
    );
  });

  it('package-lock.json, without what only development needs', () => {
    const { packages } = inventoryOf({
      'app/package-lock.json': JSON.stringify({
        lockfileVersion: 3,
        packages: {
          '': { name: 'app', version: '1' },
          'node_modules/a': { version: '1.0.0', integrity: INTEGRITY, license: 'ISC' },
          'node_modules/a/node_modules/@s/b': { version: '2.0.0' },
          'node_modules/alias': { name: 'real', version: '3.0.0' },
          'node_modules/dev': { version: '1.0.0', dev: true },
          'node_modules/local': { link: true, resolved: 'packages/local' },
          'packages/local': { version: '0.0.1' },
        },
      }),
    });
    assert.deepEqual(packages, [
      {
        purl: 'pkg:npm/%40s/b@2.0.0',
        name: '@s/b',
        version: '2.0.0',
        locations: ['/app/package-lock.json'],
        evidence: 'declared',
      },
      {
        purl: 'pkg:npm/a@1.0.0',
        name: 'a',
        version: '1.0.0',
        licenses: ['ISC'],
        digests: [{ algorithm: 'SHA-512', hex: SHA512.toString('hex') }],
        locations: ['/app/package-lock.json'],
        evidence: 'declared',
      },
      {
        purl: 'pkg:npm/real@3.0.0',
        name: 'real',
        version: '3.0.0',
        locations: ['/app/package-lock.json'],
        evidence: 'declared',
      },
    ]);
  });

  it('what is installed outweighs what is declared', () => {
    const { packages } = inventoryOf({
      'app/package-lock.json': JSON.stringify({
        packages: { 'node_modules/a': { version: '1.0.0', integrity: INTEGRITY } },
      }),
      'app/node_modules/a/package.json': '{"name":"a","version":"1.0.0","license":"MIT"}',
    });
    assert.equal(packages.length, 1);
    assert.equal(packages[0]?.evidence, 'installed');
    assert.deepEqual(packages[0]?.locations, ['/app/node_modules/a/package.json', '/app/package-lock.json']);
    assert.deepEqual(packages[0]?.licenses, ['MIT']);
    assert.equal(packages[0]?.digests?.length, 1);
  });

  it('lock files of version 1', () => {
    assert.deepEqual(
      purls({
        'package-lock.json': JSON.stringify({
          lockfileVersion: 1,
          dependencies: { a: { version: '1.0.0', dependencies: { b: { version: '2.0.0' } } } },
        }),
      }),
      ['pkg:npm/a@1.0.0', 'pkg:npm/b@2.0.0'],
    );
  });

  it('yarn.lock of both kinds', () => {
    assert.deepEqual(
      purls({
        'one/yarn.lock': `# yarn lockfile v1\n\n\n"@s/a@^1.0.0", "@s/a@~1.1":\n  version "1.1.0"\n  resolved "https://x/a.tgz#abc"\n  integrity ${INTEGRITY}\n  dependencies:\n    b "^2.0.0"\n\nb@^2.0.0:\n  version "2.3.4"\n\n"c@npm:real@^3":\n  version "3.0.0"\n`,
        'two/yarn.lock':
          '__metadata:\n  version: 8\n\n"d@npm:^4.0.0":\n  version: 4.5.6\n  resolution: "d@npm:4.5.6"\n  checksum: 10/abc\n  languageName: node\n\n"app@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "app@workspace:."\n',
      }),
      ['pkg:npm/%40s/a@1.1.0', 'pkg:npm/b@2.3.4', 'pkg:npm/d@4.5.6', 'pkg:npm/real@3.0.0'],
    );
  });

  it('pnpm-lock.yaml of all kinds', () => {
    assert.deepEqual(
      purls({
        '5/pnpm-lock.yaml': `lockfileVersion: 5.4\npackages:\n\n  /a/1.0.0_react@17.0.0:\n    resolution: {integrity: ${INTEGRITY}}\n    dev: false\n\n  /@s/b/2.0.0:\n    resolution: {integrity: ${INTEGRITY}}\n    dev: true\n`,
        '6/pnpm-lock.yaml': `lockfileVersion: '6.0'\npackages:\n\n  /@s/c@3.0.0(react@17.0.0):\n    resolution: {integrity: ${INTEGRITY}}\n`,
        '9/pnpm-lock.yaml': `lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      x:\n        version: 9.9.9\n\npackages:\n\n  '@s/d@4.0.0':\n    resolution: {integrity: ${INTEGRITY}}\n    engines: {node: '>=18'}\n\n  e@5.0.0:\n    resolution: {integrity: ${INTEGRITY}}\n\nsnapshots:\n\n  f@6.0.0: {}\n`,
      }),
      ['pkg:npm/%40s/c@3.0.0', 'pkg:npm/%40s/d@4.0.0', 'pkg:npm/a@1.0.0', 'pkg:npm/e@5.0.0'],
    );
  });
});

describe('Python', () => {
  it('metadata of distributions', () => {
    const { packages } = inventoryOf({
      'usr/lib/python3/site-packages/Flask_X-2.0.dist-info/METADATA':
        'Metadata-Version: 2.1\nName: Flask_X\nVersion: 2.0\nLicense: a long\n text\nClassifier: Programming Language :: Python\nClassifier: License :: OSI Approved :: MIT License\nHome-page: https://f\n\nName: body\n',
      'usr/lib/python3/site-packages/b.egg-info': 'Name: b\nVersion: 1\nLicense: UNKNOWN\n',
      'usr/lib/python3/site-packages/c.egg-info/PKG-INFO': 'Name: c\nVersion: 3\nLicense-Expression: MIT\n',
    });
    assert.deepEqual(
      packages.map(({ purl, licenses }) => [purl, licenses]),
      [
        ['pkg:pypi/b@1', undefined],
        ['pkg:pypi/c@3', ['MIT']],
        ['pkg:pypi/flask-x@2.0', ['MIT License']],
      ],
    );
  });

  it('lock files and pinned requirements', () => {
    assert.deepEqual(
      purls({
        'a/requirements.txt':
          '# c\na==1.0\nb>=2\nc[x]==3.0 ; python_version > "3" \\\n    --hash=sha256:abc\nd==1.*\ne==4.0 --hash=sha256:0\n-r other\n',
        'a/Pipfile.lock': '{"default":{"f":{"version":"==6.0"},"g":{"git":"x"}},"develop":{"no":{"version":"==1"}}}',
        'b/poetry.lock': '[[package]]\nname = "h"\nversion = "8.0"\n\n[metadata]\n',
        'c/uv.lock':
          'version = 1\n[[package]]\nname = "me"\nversion = "0.1"\nsource = { virtual = "." }\n[[package]]\nname = "i"\nversion = "9.0"\nsource = { registry = "https://pypi.org/simple" }\n',
      }),
      ['pkg:pypi/a@1.0', 'pkg:pypi/c@3.0', 'pkg:pypi/e@4.0', 'pkg:pypi/f@6.0', 'pkg:pypi/h@8.0', 'pkg:pypi/i@9.0'],
    );
  });
});

it('Ruby', () => {
  assert.deepEqual(
    purls({
      'usr/lib/ruby/gems/3.1.0/specifications/rake-13.0.6.gemspec':
        'Gem::Specification.new do |s|\n  s.name = "rake".freeze\n  s.version = "13.0.6"\n  s.licenses = ["MIT".freeze]\nend\n',
      'usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec': 'x = File.read("y")\n',
      'app/Gemfile.lock':
        'GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.13.0-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.6.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  nokogiri\n',
    }),
    [
      'pkg:gem/json@2.6.1',
      'pkg:gem/nokogiri@1.13.0?platform=x86_64-linux',
      'pkg:gem/racc@1.6.0',
      'pkg:gem/rake@13.0.6',
    ],
  );
});

it('Rust, PHP, .NET and Go lock files', () => {
  assert.deepEqual(
    purls({
      'r/Cargo.lock': `version = 3\n[[package]]\nname = "mine"\nversion = "0.1.0"\n\n[[package]]\nname = "serde"\nversion = "1.0.1"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "${'ab'.repeat(32)}"\n`,
      'p/composer.lock':
        '{"packages":[{"name":"monolog/monolog","version":"2.0.0","license":["MIT"]}],"packages-dev":[{"name":"d/d","version":"1"}]}',
      'p/vendor/composer/installed.json': '[{"name":"psr/log","version":"1.1.0"}]',
      'n/app.deps.json': `{"libraries":{"App/1.0.0":{"type":"project"},"Newtonsoft.Json/13.0.1":{"type":"package","sha512":"${INTEGRITY}"}}}`,
      'g/go.mod':
        'module example.com/me\n\ngo 1.22\n\nrequire github.com/A/one v1.0.0 // indirect\nrequire (\n\texample.com/two v2.0.0\n\t"example.com/three" v3.0.0\n)\nreplace example.com/two => example.com/fork v2.1.0\nreplace example.com/three v3.0.0 => ../three\n',
    }),
    [
      'pkg:cargo/serde@1.0.1',
      'pkg:composer/monolog/monolog@2.0.0',
      'pkg:composer/psr/log@1.1.0',
      'pkg:golang/example.com/fork@v2.1.0',
      'pkg:golang/github.com/a/one@v1.0.0',
      'pkg:nuget/Newtonsoft.Json@13.0.1',
    ],
  );
});

describe('executables', () => {
  const frame = Buffer.alloc(16, 0x30);
  const modules = Buffer.concat([
    frame,
    Buffer.from(
      'path\texample.com/cmd\nmod\texample.com/cmd\t(devel)\t\ndep\tgithub.com/x/y\tv1.2.3\th1:a=\ndep\tgithub.com/x/z\tv1.0.0\n=>\tgithub.com/fork/z\tv1.0.1\th1:b=\n',
    ),
    frame,
  ]);

  it('modules of a Go program', () => {
    const head = Buffer.alloc(32);
    head.write('\xff Go buildinf:', 'latin1');
    head[14] = 8;
    head[15] = 2;
    const version = Buffer.from('go1.22.1 X:nocoverageredesign');
    const length = (n: number): Buffer => (n < 128 ? Buffer.from([n]) : Buffer.from([(n & 0x7f) | 0x80, n >> 7]));
    const info = Buffer.concat([head, length(version.length), version, length(modules.length), modules]);
    assert.deepEqual(
      purls({
        'bin/tool': { mode: 0o755, content: elfFile({ '.go.buildinfo': info }) },
        'bin/data': { mode: 0o644, content: elfFile({ '.go.buildinfo': info }) },
        'bin/script': { mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
      }),
      [
        'pkg:golang/example.com/cmd',
        'pkg:golang/github.com/fork/z@v1.0.1',
        'pkg:golang/github.com/x/y@v1.2.3',
        'pkg:golang/stdlib@1.22.1',
      ],
    );
  });

  it('crates of an auditable Rust program', () => {
    const list = {
      packages: [
        { name: 'rand', version: '0.8.5' },
        { name: 'cc', version: '1.0.0', kind: 'build' },
      ],
    };
    assert.deepEqual(
      purls({
        'bin/tool': { mode: 0o755, content: elfFile({ '.dep-v0': deflateSync(JSON.stringify(list)) }) },
      }),
      ['pkg:cargo/rand@0.8.5'],
    );
  });
});

it('Java archives and those inside them', () => {
  const inner = zipFile({
    'META-INF/maven/org.slf4j/slf4j-api/pom.properties': 'version=2.0.0\ngroupId=org.slf4j\nartifactId=slf4j-api\n',
  });
  const { packages, warnings } = inventoryOf({
    'opt/app-1.2.jar': zipFile({
      'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\r\nImplementation-Vendor-Id: com.exam\r\n ple\r\n',
      'BOOT-INF/lib/slf4j-api-2.0.0.jar': inner,
    }),
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    packages.map(({ purl, locations }) => [purl, locations]),
    [
      ['pkg:maven/com.example/app@1.2', ['/opt/app-1.2.jar']],
      ['pkg:maven/org.slf4j/slf4j-api@2.0.0', ['/opt/app-1.2.jar:BOOT-INF/lib/slf4j-api-2.0.0.jar']],
    ],
  );
});

describe('hostile roots', () => {
  it('a malformed file is a warning that names it, and hides nothing else', () => {
    const { packages, warnings } = inventoryOf({
      'a/package-lock.json': '{"packages":',
      'b/Cargo.lock': '[[[',
      'c/x.jar': 'no archive',
      'd/composer.lock': '[]',
      'e/node_modules/x/package.json': '[]',
      'f/tool.egg-info': 'nothing\n',
      'var/lib/rpm/rpmdb.sqlite': 'nothing',
      'var/lib/rpm/Packages': 'nothing',
      'var/lib/rpm/Packages.db': 'nothing',
      'var/lib/dpkg/status': 'Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n',
    });
    assert.deepEqual(
      packages.map(({ purl }) => purl),
      ['pkg:deb/debian/a@1?arch=all'],
    );
    assert.deepEqual(
      warnings.map((text) => /^cannot read (\S+) as /.exec(text)?.[1]),
      [
        '/a/package-lock.json',
        '/b/Cargo.lock',
        '/c/x.jar',
        '/e/node_modules/x/package.json',
        '/f/tool.egg-info',
        '/var/lib/rpm/Packages',
        '/var/lib/rpm/Packages.db',
        '/var/lib/rpm/rpmdb.sqlite',
      ],
    );
  });

  it('no link leads out of the root, and no pipe is waited for', () => {
    using outside = new FileTree({
      status: 'Package: out\nStatus: install ok installed\nVersion: 1\n',
      'os-release': 'ID=out\n',
    });
    using tree = new FileTree({
      'var/lib/dpkg/status': { link: join(outside.path, 'status') },
      'etc/os-release': { link: join(outside.path, 'os-release') },
      'app/node_modules/up': { link: '../../../../../../../../../..' },
      'app/yarn.lock/keep': '',
    });
    execFileSync('mkfifo', [join(tree.path, 'package-lock.json'), join(tree.path, 'usr')]);
    const { packages, distribution } = takeInventory({ root: tree.path });
    assert.deepEqual(packages, []);
    assert.equal(distribution, undefined);
  });

  it('a file beyond its limit is refused, not read', () => {
    using tree = new FileTree({ 'app/node_modules/x/package.json': '{}' });
    execFileSync('truncate', ['-s', '1T', join(tree.path, 'app/node_modules/x/package.json')]);
    const { warnings } = takeInventory({ root: tree.path });
    assert.deepEqual(warnings.length, 1);
    assert.match(warnings[0]!, /its 1099511627776 bytes are more than the limit of 4194304/);
  });

  it('the walk stops at its limits and says so', () => {
    using tree = new FileTree({ 'a/b/c/d/Cargo.lock': '', x: '', y: '' });
    const deep = takeInventory({ root: tree.path, limits: { maxEntries: 1000, maxDepth: 2, skipped: [] } });
    assert.deepEqual(deep.warnings, ['/a/b/c is not searched: it is more than 2 directories deep']);
    const many = takeInventory({ root: tree.path, limits: { maxEntries: 3, maxDepth: 100, skipped: [] } });
    assert.deepEqual(many.warnings, ['the search stopped after 3 files']);
  });

  it('a name that is no UTF-8 is found and shown as text', () => {
    using tree = new FileTree({ 'plain/go.mod': 'require a.b/c v1.0.0\n' });
    execFileSync('sh', ['-c', `mv plain "$(printf 'b\\377d')"`], { cwd: tree.path });
    const { packages, warnings } = takeInventory({ root: tree.path });
    assert.deepEqual(warnings, []);
    assert.deepEqual(packages[0]?.locations, ['/b\ufffdd/go.mod']);
  });
});
