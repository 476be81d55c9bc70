import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyInstructions } from '../../../src/dockerfile/config-changes.ts';
import { type BuilderError, isBuilderError } from '../../../src/report/builder-error.ts';
import type { ContainerConfig, ImageConfig } from '../../../src/spec/image-config.ts';

const image = (config: ContainerConfig): ImageConfig => ({
  os: 'linux',
  architecture: 'arm64',
  config,
  rootfs: { type: 'layers', diff_ids: [] },
});

const after = (config: ContainerConfig, ...texts: readonly string[]): ContainerConfig =>
  applyInstructions(image(config), texts, '--change').config ?? {};

/** An instruction, and what it makes of a config. */
const CHANGES: readonly (readonly [ContainerConfig, string, ContainerConfig])[] = [
  [{ Env: ['A=1'] }, 'ENV B=$A/x A=2', { Env: ['A=2', 'B=1/x'] }],
  [{ Labels: { a: '1' } }, 'LABEL b=2', { Labels: { a: '1', b: '2' } }],
  [{ Entrypoint: ['/e'], Cmd: ['c'] }, 'CMD ["d"]', { Entrypoint: ['/e'], Cmd: ['d'] }],
  [{ Entrypoint: ['/e'], Cmd: ['c'] }, 'ENTRYPOINT ["/f"]', { Entrypoint: ['/f'] }],
  [{ Shell: ['/bin/ash', '-c'] }, 'CMD a b', { Shell: ['/bin/ash', '-c'], Cmd: ['/bin/ash', '-c', 'a b'] }],
  [
    { ExposedPorts: { '1/tcp': {} } },
    'EXPOSE 80 53/udp',
    { ExposedPorts: { '1/tcp': {}, '80/tcp': {}, '53/udp': {} } },
  ],
  [{}, 'VOLUME ["/v"]', { Volumes: { '/v': {} } }],
  [{}, 'USER a:b', { User: 'a:b' }],
  [{ WorkingDir: '/a' }, 'WORKDIR b', { WorkingDir: '/a/b' }],
  [{}, 'STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
  [{}, 'SHELL ["/bin/ash","-c"]', { Shell: ['/bin/ash', '-c'] }],
  [{ OnBuild: ['RUN a'] }, 'ONBUILD RUN b', { OnBuild: ['RUN a', 'RUN b'] }],
  [{}, 'HEALTHCHECK CMD true', { Healthcheck: { Test: ['CMD-SHELL', 'true'] } }],
];

/** A line that is refused, and where. */
const REFUSED: readonly (readonly [string, RegExp, number])[] = [
  ['RUN true', /RUN changes more than the config/, 0],
  ['COPY a b', /COPY changes more/, 0],
  ['ADD a b', /ADD changes more/, 0],
  ['FROM scratch', /FROM changes more/, 0],
  ['ENV a=1\nENVY b', /unknown instruction "ENVY"/, 8],
  ['USER', /USER/, 0],
];

describe('instructions outside a file', () => {
  for (const [before, text, expected] of CHANGES) {
    it(text, () => assert.deepEqual(after(before, text), expected));
  }
  it('see what those before them did', () => {
    assert.deepEqual(after({}, 'ARG v=1', 'ENV a=$v', 'ENV b=$a', 'ENTRYPOINT ["x"]', 'CMD ["y"]'), {
      Env: ['a=1', 'b=1'],
      Entrypoint: ['x'],
      Cmd: ['y'],
    });
  });
  it('name the author of the image', () => {
    assert.equal(applyInstructions(image({}), ['MAINTAINER me'], '-').author, 'me');
  });
  for (const [text, message, at] of REFUSED) {
    it(`refuses ${JSON.stringify(text)} and says where`, () => {
      assert.throws(
        () => after({}, text),
        (error) => {
          assert.ok(isBuilderError(error));
          assert.match(error.message, message);
          const { span } = error as BuilderError;
          assert.equal(span?.file.name, '--change');
          assert.equal(span.start, at);
          return true;
        },
      );
    });
  }
});
