import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import {
  aliasOf,
  isInsecure,
  pullSources,
  pushDestination,
  resolveShortName,
} from '../../../src/registry/image-source.ts';
import {
  aliasFileOf,
  EMPTY_REGISTRIES_CONF,
  loadRegistriesConf,
  parseRegistriesConf,
  type RegistriesConf,
} from '../../../src/registry/registries-conf.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { formatReference, parseReference, qualify } from '../../../src/spec/reference.ts';

const confOf = (text: string): RegistriesConf => ({
  ...EMPTY_REGISTRIES_CONF,
  ...parseRegistriesConf(text, 'test.conf'),
});
const full = (text: string) => qualify(parseReference(text), 'docker.io');
const sources = (text: string, conf: RegistriesConf) =>
  pullSources(full(text), conf).map((s) => [formatReference(s.reference), s.insecure ? 'insecure' : 'secure']);

describe('short names', () => {
  const conf = confOf(`
unqualified-search-registries = ["docker.io", "quay.io"]
[aliases]
"busybox" = "example.com/base/busybox"
"gone" = ""
`);

  it('an alias stands alone and keeps tag and digest', () => {
    assert.deepEqual(resolveShortName('busybox:1', conf).map(formatReference), ['example.com/base/busybox:1']);
    assert.equal(aliasOf(parseReference('busybox'), conf)?.file, 'test.conf');
    assert.equal(aliasOf(parseReference('gone'), conf), undefined);
  });

  it('search registries are tried in order', () => {
    assert.deepEqual(resolveShortName('alpine', conf).map(formatReference), [
      'docker.io/library/alpine',
      'quay.io/alpine',
    ]);
    assert.deepEqual(resolveShortName('localhost/x', conf).map(formatReference), ['localhost/x']);
  });

  it('no candidate is an error that says what to write, never docker.io', () => {
    assert.throws(
      () => resolveShortName('alpine', EMPTY_REGISTRIES_CONF),
      (error) => isBuilderError(error, 'reference.invalid') && /docker\.io\/library\/alpine/.test(error.hint ?? ''),
    );
  });

  it('enforcing refuses what is ambiguous', () => {
    assert.throws(() => resolveShortName('alpine', { ...conf, shortNameMode: 'enforcing' }), /enforcing/);
    const one = { ...conf, shortNameMode: 'enforcing' as const, searchRegistries: ['quay.io'] };
    assert.equal(resolveShortName('alpine', one).length, 1);
  });
});

describe('pull sources', () => {
  it('a whole host, a path and a wildcard say whether a registry is insecure', () => {
    const conf = confOf(
      '[[registry]]\nlocation = "a.test"\ninsecure = true\n[[registry]]\nprefix = "*.b.test"\ninsecure = true\n[[registry]]\nlocation = "c.test/x"\ninsecure = true\n',
    );
    assert.deepEqual(
      ['a.test', 'x.b.test', 'b.test', 'c.test', 'a.test:5000'].map((host) => isInsecure(host, conf)),
      [true, true, false, false, false],
    );
  });

  it('mirrors come first, then the renamed primary; push sees no mirror', () => {
    const conf = confOf(`
[[registry]]
prefix = "quay.io/team"
location = "internal.example:5000/quay"
insecure = true
[[registry.mirror]]
location = "near.example/cache"
insecure = true
[[registry.mirror]]
location = "far.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
`);
    assert.deepEqual(sources('quay.io/team/app:1', conf), [
      ['near.example/cache/app:1', 'insecure'],
      ['tags.example/app:1', 'secure'],
      ['internal.example:5000/quay/app:1', 'insecure'],
    ]);
    const digest = `sha256:${'a'.repeat(64)}`;
    assert.deepEqual(
      sources(`quay.io/team/app@${digest}`, conf).map(([name]) => name),
      [`near.example/cache/app@${digest}`, `far.example/app@${digest}`, `internal.example:5000/quay/app@${digest}`],
    );
    assert.equal(
      formatReference(pushDestination(full('quay.io/team/app:1'), conf).reference),
      'internal.example:5000/quay/app:1',
    );
    assert.deepEqual(sources('quay.io/teamwork/app', conf), [['quay.io/teamwork/app', 'secure']]);
    assert.deepEqual(sources('quay.io/other', conf), [['quay.io/other', 'secure']]);
  });

  it('the longest prefix decides, wildcards fit hosts below a domain', () => {
    const conf = confOf(`
[[registry]]
location = "a.example"
insecure = true
[[registry]]
prefix = "*.example"
blocked = true
[[registry]]
location = "a.example/ok/deep"
`);
    assert.deepEqual(sources('a.example/x', conf), [['a.example/x', 'insecure']]);
    assert.deepEqual(sources('a.example/ok/deep/x', conf), [['a.example/ok/deep/x', 'secure']]);
    assert.deepEqual(sources('a.example:5000/x'.replace('a.example', 'other.test'), conf), [
      ['other.test:5000/x', 'secure'],
    ]);
    assert.throws(
      () => sources('b.example/x', conf),
      (error) => isBuilderError(error, 'registry.blocked'),
    );
    assert.deepEqual(sources('example/x', conf), [['docker.io/example/x', 'secure']]);
  });

  it('a host without a port is not the host with one', () => {
    const conf = confOf('[[registry]]\nlocation = "h.test"\ninsecure = true\n');
    assert.deepEqual(sources('h.test:5000/x', conf), [['h.test:5000/x', 'secure']]);
  });

  it('mirror-by-digest-only holds for every mirror', () => {
    const conf = confOf(
      '[[registry]]\nlocation = "h.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\n',
    );
    assert.deepEqual(sources('h.test/x:1', conf), [['h.test/x:1', 'secure']]);
  });
});

describe('registries the environment allows', () => {
  const load = (sources: unknown): RegistriesConf =>
    loadRegistriesConf({
      path: '/dev/null',
      env: { BUILD_REGISTRY_SOURCES: typeof sources === 'string' ? sources : JSON.stringify(sources) },
    });
  const isBlocked = (error: unknown): boolean => isBuilderError(error, 'registry.blocked');

  it('blocked ones and those that are not allowed are refused for pull and push', () => {
    const blocked = load({ blockedRegistries: ['bad.test:5000'] });
    assert.throws(() => sources('bad.test:5000/x', blocked), isBlocked);
    assert.throws(() => pushDestination(full('bad.test:5000/x'), blocked), isBlocked);
    assert.deepEqual(sources('good.test/x', blocked), [['good.test/x', 'secure']]);
    const allowed = load({ allowedRegistries: ['good.test'], insecureRegistries: ['good.test'] });
    assert.deepEqual(sources('good.test/x', allowed), [['good.test/x', 'insecure']]);
    assert.throws(() => sources('other.test/x', allowed), isBlocked);
    assert.deepEqual([isInsecure('good.test', allowed), isInsecure('other.test', allowed)], [true, false]);
  });

  it('a malformed variable names itself and the member', () => {
    for (const [text, why] of [
      ['{', /BUILD_REGISTRY_SOURCES cannot be used: it is not JSON/],
      ['[]', /it is no object/],
      [{ blockedRegistries: 'x' }, /blockedRegistries is no list of hosts/],
    ] as const) {
      assert.throws(
        () => load(text),
        (error) => isBuilderError(error, 'usage.invalid') && why.test(error.message),
      );
    }
  });
});

describe('aliases chosen by hand', () => {
  it('come from a file of their own and go before those of the machine', () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-alias-'));
    writeFileSync(join(root, 'main.conf'), '[aliases]\n"x" = "machine.test/x"\n"y" = "machine.test/y"\n');
    writeFileSync(join(root, 'mine.conf'), '[aliases]\n"x" = "mine.test/x"\n');
    const load = (o: object) => loadRegistriesConf({ path: join(root, 'main.conf'), env: {}, uid: 1000, ...o });
    const named = load({ aliasFile: join(root, 'mine.conf') });
    assert.deepEqual(
      ['x', 'y'].map((name) => named.aliases.get(name)?.target),
      ['mine.test/x', 'machine.test/y'],
    );
    assert.equal(load({ aliasFile: join(root, 'absent') }).aliases.get('x')?.target, 'machine.test/x');
    mkdirSync(join(root, 'containers'));
    writeFileSync(join(root, 'containers/short-name-aliases.conf'), '[aliases]\n"x" = "cache.test/x"\n');
    assert.equal(load({ env: { XDG_CACHE_HOME: root } }).aliases.get('x')?.target, 'cache.test/x');
    assert.equal(aliasFileOf({ XDG_CACHE_HOME: root }, 0), '/var/cache/containers/short-name-aliases.conf');
    rmSync(root, { recursive: true });
  });
});

describe('malformed files', () => {
  for (const [text, why] of [
    ['a = ', /test\.conf:1/],
    ['x = 1\ny = [', /test\.conf:2/],
    ['unqualified-search-registries = "docker.io"', /key unqualified-search-registries: expected a list of strings/],
    ['[[registry]]\ninsecure = true', /test\.conf:1 .*key registry\[0\]\.prefix/],
    [
      '[[registry]]\nlocation = "a"\ninsecure = "yes"',
      /test\.conf:3 .*key registry\[0\]\.insecure: expected true or false/,
    ],
    [
      '[[registry]]\nlocation = "a"\n[[registry.mirror]]\ninsecure = true',
      /test\.conf:3 .*key registry\[0\]\.mirror\[0\]\.location: it is missing/,
    ],
    ['[[registry]]\nprefix = "a*b"', /wildcard/],
    ['short-name-mode = "maybe"', /expected one of enforcing, permissive, disabled/],
    ['[registries.search]\nregistries = ["docker.io"]', /version 1/],
  ] as const) {
    it(`names the place in ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseRegistriesConf(text, 'test.conf'),
        (error) => {
          assert.ok(isBuilderError(error, 'usage.invalid'));
          assert.match(error.message, why);
          assert.match(error.message, /test\.conf/);
          return true;
        },
      );
    });
  }
});

describe('loadRegistriesConf', () => {
  it('takes the first main file whole, then drop-ins by name; a named file stands alone', () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-conf-'));
    const put = (path: string, text: string): string => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
      return join(root, path);
    };
    put('containers/registries.conf', 'unqualified-search-registries = ["user.test"]');
    put('containers/registries.conf.d/10-a.conf', '[aliases]\n"x" = "one.test/x"\n');
    put('containers/registries.conf.d/20-b.conf', '[aliases]\n"x" = "two.test/x"\n');
    const env = { XDG_CONFIG_HOME: root };
    const conf = loadRegistriesConf({ env });
    assert.deepEqual(conf.searchRegistries, ['user.test']);
    assert.equal(conf.aliases.get('x')?.target, 'two.test/x');
    const alone = put('alone.conf', 'unqualified-search-registries = ["alone.test"]');
    const named = loadRegistriesConf({ env, path: alone });
    assert.deepEqual([named.searchRegistries, named.aliases.size], [['alone.test'], 0]);
    assert.deepEqual(loadRegistriesConf({ env: { ...env, CONTAINERS_REGISTRIES_CONF: alone } }), named);
    assert.throws(() => loadRegistriesConf({ env, path: join(root, 'absent') }), /does not exist/);
    rmSync(root, { recursive: true });
  });
});
