import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  cacheDirectory,
  configDirectory,
  dataDirectory,
  homeDirectory,
  runtimeDirectory,
} from '../../../src/sys/user-directories.ts';

/** The superuser's entry is in every /etc/passwd. */
const root = { SLIPWAY_ROOTLESS_UID: '0' };

describe('directories of the user', () => {
  it('are those of the variables', () => {
    const env = {
      ...root,
      HOME: '/h',
      XDG_CONFIG_HOME: '/c',
      XDG_CACHE_HOME: '/k',
      XDG_DATA_HOME: '/d',
      XDG_RUNTIME_DIR: '/r',
    };
    assert.deepEqual(
      [homeDirectory, configDirectory, cacheDirectory, dataDirectory, runtimeDirectory].map((of) => of(env)),
      ['/h', '/c', '/k', '/d', '/r'],
    );
  });

  it('are below the home without them', () => {
    const env = { HOME: '/h' };
    assert.deepEqual(
      [configDirectory, cacheDirectory, dataDirectory, runtimeDirectory].map((of) => of(env)),
      ['/h/.config', '/h/.cache', '/h/.local/share', undefined],
    );
  });

  it('never depend on where the program is called from', () => {
    for (const odd of ['', 'relative', './x', undefined]) {
      const env = {
        ...root,
        HOME: odd,
        XDG_CONFIG_HOME: odd,
        XDG_CACHE_HOME: odd,
        XDG_DATA_HOME: odd,
        XDG_RUNTIME_DIR: odd,
      };
      assert.deepEqual(
        [homeDirectory, configDirectory, cacheDirectory, dataDirectory, runtimeDirectory].map((of) => of(env)),
        ['/root', '/root/.config', '/root/.cache', '/root/.local/share', undefined],
      );
    }
  });

  it('are below / for a user nobody knows', () => {
    assert.equal(homeDirectory({ SLIPWAY_ROOTLESS_UID: '4000000001' }), '/');
  });
});
