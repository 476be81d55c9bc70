import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type ConfigSearch, findConfigFiles } from '../../../src/sys/config-files.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-config-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
}

function found(o: Partial<ConfigSearch> = {}, name: 'containers.conf' | 'registries.conf' = 'containers.conf') {
  const system = [join(root, 'etc'), join(root, 'usr')];
  const all = findConfigFiles(name, { env: { HOME: join(root, 'home') }, system, ...o });
  return all.map((path) => path.replace(`${root}/`, ''));
}

describe('findConfigFiles', () => {
  it('takes the first main file whole, the nearest to the user first', () => {
    put('usr/containers.conf');
    assert.deepEqual(found(), ['usr/containers.conf']);
    put('etc/containers.conf');
    assert.deepEqual(found(), ['etc/containers.conf']);
    put('home/.config/containers/containers.conf');
    assert.deepEqual(found(), ['home/.config/containers/containers.conf']);
    put('xdg/containers/containers.conf');
    assert.deepEqual(found({ env: { XDG_CONFIG_HOME: join(root, 'xdg') } }), ['xdg/containers/containers.conf']);
  });

  it('lays drop-ins over it by file name, the nearest of one name alone', () => {
    put('etc/containers.conf', 'etc/containers.conf.d/20-b.conf', 'usr/containers.conf.d/10-a.conf');
    put('usr/containers.conf.d/20-b.conf', 'home/.config/containers/containers.conf.d/30-c.conf');
    put('etc/containers.conf.d/README', 'etc/registries.conf.d/00-other.conf');
    assert.deepEqual(found(), [
      'etc/containers.conf',
      'usr/containers.conf.d/10-a.conf',
      'etc/containers.conf.d/20-b.conf',
      'home/.config/containers/containers.conf.d/30-c.conf',
    ]);
  });

  it('knows drop-ins for root, for all other users, and for one of them', () => {
    put('etc/containers.rootful.conf.d/1.conf', 'etc/containers.rootless.conf.d/2.conf');
    put('etc/containers.rootless.conf.d/1000/3.conf', 'usr/containers.conf.d/4.conf');
    assert.deepEqual(found({ uid: 0 }), ['etc/containers.rootful.conf.d/1.conf', 'usr/containers.conf.d/4.conf']);
    assert.deepEqual(found({ uid: 1000 }), [
      'etc/containers.rootless.conf.d/2.conf',
      'etc/containers.rootless.conf.d/1000/3.conf',
      'usr/containers.conf.d/4.conf',
    ]);
    assert.deepEqual(found({ uid: 1001 }), ['etc/containers.rootless.conf.d/2.conf', 'usr/containers.conf.d/4.conf']);
  });

  it('a file of the environment stands alone; an override comes last', () => {
    put('etc/containers.conf', 'etc/containers.conf.d/10.conf');
    const env = { HOME: join(root, 'home'), CONTAINERS_CONF_OVERRIDE: join(root, 'over') };
    assert.deepEqual(found({ env }), ['etc/containers.conf', 'etc/containers.conf.d/10.conf', 'over']);
    assert.deepEqual(found({ env: { ...env, CONTAINERS_CONF: join(root, 'mine') } }), ['mine', 'over']);
    const registries = { CONTAINERS_REGISTRIES_CONF: join(root, 'mine'), CONTAINERS_CONF: 'other' };
    assert.deepEqual(found({ env: registries }, 'registries.conf'), ['mine']);
  });

  it('a directory the user names replaces the usual ones', () => {
    put('etc/containers.conf', 'etc/containers.conf.d/10.conf', 'mine/20.conf');
    assert.deepEqual(found({ dir: join(root, 'mine') }), ['etc/containers.conf', 'mine/20.conf']);
    assert.deepEqual(found({ path: join(root, 'main'), dir: join(root, 'mine') }), ['main', 'mine/20.conf']);
  });
});
