/** `config`: what its history says, in Buildah's words, and what it warns of. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configure, entrypointWarning } from '../../../src/container/configure.ts';
import { blankContainer } from '../../../src/container/from.ts';
import type { ConfigChanges } from '../../../src/container/verb-options.ts';
import type { WorkingContainer } from '../../../src/container/working-container.ts';

const blank = blankContainer('0'.repeat(64), 'c', {});
const historyOf = (changes: ConfigChanges): readonly (string | undefined)[] =>
  configure(blank, { ...changes, addHistory: true }, {}).historyBefore.map((entry) => entry.created_by);

describe('history of config', () => {
  it('has a line for each flag, in one order, and one for each volume and trigger', () => {
    const changes: ConfigChanges = {
      onbuild: ['RUN a', 'RUN b'],
      workingDir: '/w',
      label: ['l=1', 'm=2'],
      healthcheck: 'CMD true',
      volume: ['/v', '/w'],
      cmd: 'c',
      entrypoint: '["e"]',
      env: ['A=1', 'B=2'],
      port: ['80', '90/udp'],
      stopSignal: 'SIGTERM',
      shell: '/bin/sh -c',
      user: 'u',
    };
    const lines = [
      'USER u',
      'SHELL /bin/sh -c',
      'STOPSIGNAL SIGTERM',
      'EXPOSE 80 90/udp',
      'ENV A=1 B=2',
      'ENTRYPOINT ["e"]',
      'CMD c',
      'VOLUME /v',
      'VOLUME /w',
      'HEALTHCHECK CMD true',
      'LABEL l=1 m=2',
      'WORKDIR /w',
      'ONBUILD RUN a',
      'ONBUILD RUN b',
    ];
    assert.deepEqual(
      historyOf(changes),
      lines.map((line) => `/bin/sh -c #(nop) ${line}`),
    );
  });

  it('says NONE of a health check that is taken away', () => {
    assert.deepEqual(historyOf({ healthcheck: '' }), ['/bin/sh -c #(nop) HEALTHCHECK NONE']);
  });
});

describe('entrypointWarning', () => {
  const withCommand = (words: readonly string[]): WorkingContainer => ({
    ...blank,
    config: { ...blank.config, config: { Cmd: words } },
  });

  it('tells what becomes of a command that is there', () => {
    const before = withCommand(['serve', '-v']);
    assert.equal(
      entrypointWarning(before, { entrypoint: '["/app"]' }),
      'cmd "serve -v" exists and will be passed to entrypoint as a parameter',
    );
    assert.equal(
      entrypointWarning(before, { entrypoint: '/app x' }),
      'cmd "serve -v" exists but will be ignored because of entrypoint settings',
    );
  });

  it('says nothing without a command, with a new one, or of an entry point that goes', () => {
    assert.equal(entrypointWarning(blank, { entrypoint: '["/app"]' }), undefined);
    assert.equal(entrypointWarning(withCommand([]), { entrypoint: '["/app"]' }), undefined);
    for (const changes of [
      { entrypoint: '["/app"]', cmd: 'x' },
      { entrypoint: '' },
      { entrypoint: ' ' },
      { env: ['A=1'] },
    ]) {
      assert.equal(entrypointWarning(withCommand(['x']), changes), undefined, JSON.stringify(changes));
    }
  });
});
