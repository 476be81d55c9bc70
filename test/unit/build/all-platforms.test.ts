import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allPlatforms } from '../../../src/build/all-platforms.ts';
import type { BuildInput } from '../../../src/build/build-request.ts';
import type { NamedContext } from '../../../src/build/named-context.ts';
import type { Engine } from '../../../src/container/engine.ts';
import type { BuildOptions } from '../../../src/container/verb-options.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { BuilderError, isBuilderError } from '../../../src/report/builder-error.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../src/spec/platform.ts';

const HOST = formatPlatform(hostPlatform());
const OTHER = HOST === 'linux/s390x' ? 'linux/ppc64le' : 'linux/s390x';

/** What each image has, and how often it was asked. */
class Images {
  readonly asked: string[] = [];
  readonly #has: Readonly<Record<string, readonly string[]>>;

  constructor(has: Readonly<Record<string, readonly string[]>>) {
    this.#has = has;
  }

  readonly platformsOf = async (reference: string) => {
    this.asked.push(reference);
    const has = this.#has[reference];
    if (has === undefined) throw new BuilderError('image.not-known', `${reference}: image not known`);
    return has.map((text) => parsePlatform(text)!);
  };
}

const IMAGES = {
  wide: ['linux/arm/v7', 'linux/amd64', HOST, OTHER, 'linux/arm/v6'],
  narrow: [OTHER, 'linux/amd64', 'linux/mips64le'],
  arm: ['linux/arm/v6'],
  host: [HOST],
  'tool-amd64': ['linux/amd64'],
  'tool-s390x': ['linux/s390x'],
};

async function platforms(
  text: string,
  o: BuildOptions = {},
  more: { images?: Images; contexts?: ReadonlyMap<string, NamedContext> } = {},
): Promise<readonly string[]> {
  const { images = new Images(IMAGES), contexts = new Map() } = more;
  const parsed = parseDockerfile({ name: 'Dockerfile', text });
  const input = {
    parsed,
    instructions: buildInstructions(parsed),
    buildArgs: new Map<string, string>(),
    contexts,
    gate: images,
  } as unknown as BuildInput;
  return (await allPlatforms({} as Engine, o, input)).map(formatPlatform);
}

describe('the platforms of all base images', () => {
  it('are those of the one, in its order', async () => {
    assert.deepEqual(await platforms('FROM wide'), [...new Set(IMAGES.wide)]);
  });

  it('are those that each of several has, and no near ones', async () => {
    const both = IMAGES.wide.filter((platform) => IMAGES.narrow.includes(platform));
    assert.deepEqual(await platforms('FROM wide AS a\nFROM narrow\nCOPY --from=a /a /b'), [...new Set(both)]);
    assert.deepEqual(await platforms('FROM arm AS a\nFROM wide\nCOPY --from=a /a /b'), ['linux/arm/v6']);
  });

  it('do not hang on stages that are not needed, unless those are built as well', async () => {
    const text = 'FROM arm AS unused\nFROM narrow';
    assert.deepEqual(await platforms(text), IMAGES.narrow);
    await assert.rejects(platforms(text, { skipUnusedStages: false }), (e) => isBuilderError(e, 'platform.not-found'));
    assert.deepEqual(await platforms(text, { target: 'unused' }), IMAGES.arm);
  });

  it('leave a stage with a platform of its own out of account, as long as its image has that one', async () => {
    const text = (name: string) =>
      `FROM --platform=$BUILDPLATFORM ${name} AS build\nFROM narrow\nCOPY --from=build /a /b`;
    assert.deepEqual(new Set(await platforms(text('host'))), new Set(IMAGES.narrow));
    await assert.rejects(platforms(text('arm')), (error: unknown) => {
      assert.ok(isBuilderError(error, 'platform.not-found'));
      assert.equal(
        error.message,
        `the base images have no platform in common: arm (for ${HOST}) has linux/arm/v6; narrow has ${IMAGES.narrow.join(', ')}`,
      );
      return true;
    });
  });

  it('try a FROM line that depends on the platform for each of them', async () => {
    const text = 'ARG TARGETARCH\nFROM wide AS a\nFROM tool-$TARGETARCH\nCOPY --from=a /a /b';
    if (HOST !== 'linux/amd64') return;
    await assert.rejects(platforms(text), (error) => isBuilderError(error, 'image.not-known'));
    const images = new Images({ ...IMAGES, wide: ['linux/amd64', 'linux/s390x'] });
    assert.deepEqual(await platforms(text, {}, { images }), ['linux/amd64', 'linux/s390x']);
  });

  it('are asked for once an image, under the name that --from or a named context gives it', async () => {
    const images = new Images(IMAGES);
    const contexts = new Map([['base', { kind: 'image', reference: 'narrow' } as NamedContext]]);
    await platforms(
      'FROM x AS a\nFROM base AS b\nFROM narrow\nCOPY --from=a / /\nCOPY --from=b / /',
      { from: 'wide' },
      { images, contexts },
    );
    assert.deepEqual(images.asked.sort(), ['narrow', 'wide']);
  });

  it('cannot be found where no stage stands on an image, or where an image is missing', async () => {
    await assert.rejects(platforms('FROM scratch\nCOPY a /'), (error) => isBuilderError(error, 'usage.invalid'));
    await assert.rejects(
      platforms('FROM gone'),
      (error) => isBuilderError(error, 'image.not-known') && error.span?.start === 0,
    );
  });
});
