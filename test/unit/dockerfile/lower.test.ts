import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { type LoweredBuild, lower } from '../../../src/dockerfile/lower.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { findTarget, planStages } from '../../../src/dockerfile/stages.ts';
import type { ImageConfig } from '../../../src/spec/image-config.ts';

const linux = { os: 'linux', architecture: 'amd64' };

interface Given {
  readonly target?: string;
  readonly includeUnused?: boolean;
  readonly configs?: Readonly<Record<string, ImageConfig>>;
}

async function lowered(text: string, given: Given = {}): Promise<LoweredBuild & { readonly asked: string[] }> {
  const plan = planStages(buildInstructions(parseDockerfile({ name: 'Dockerfile', text })), {
    platforms: { build: linux, target: linux },
  });
  const asked: string[] = [];
  const build = await lower(plan, {
    target: findTarget(plan, given.target),
    includeUnused: given.includeUnused === true,
    resolveBase: async (stage) => {
      asked.push(stage.baseText);
      return given.configs?.[stage.baseText];
    },
  });
  return { ...build, asked };
}

const edges = ({ graph }: LoweredBuild): Record<string, string> =>
  Object.fromEntries(graph.vertices.map(({ key, needs }) => [key, needs.join(' ')]));

describe('lower', () => {
  it('chains the steps of a stage and lets a step wait only for the stages it reads itself', async () => {
    const build = await lowered(
      [
        'FROM a AS one',
        'RUN x',
        'FROM b AS two',
        'FROM c',
        'RUN early',
        'COPY --from=one /x /',
        'RUN --mount=from=two,target=/m true',
      ].join('\n'),
    );
    assert.deepEqual(edges(build), {
      '0.begin': '',
      '0.2': '0.begin',
      '0.end': '0.2',
      '1.begin': '',
      '1.end': '1.begin',
      '2.begin': '',
      '2.2': '2.begin',
      '2.3': '2.2 0.end',
      '2.4': '2.3 1.end',
      '2.end': '2.4',
    });
  });

  it('leaves out what the target does not need, base images included', async () => {
    const text = 'FROM a AS one\nFROM b AS two\nRUN x\nFROM c AS three\nCOPY --from=one / /';
    const build = await lowered(text, { target: 'three' });
    assert.deepEqual([...build.stages.keys()], [0, 2]);
    assert.deepEqual(build.asked, ['a', 'c']);
    const all = await lowered(text, { target: 'three', includeUnused: true });
    assert.deepEqual([...all.stages.keys()], [0, 1, 2]);
  });

  it('asks for the base of a stage on a stage only once, through the stage below', async () => {
    const build = await lowered('FROM a AS one\nENV X=1\nFROM one\nRUN echo $X');
    assert.deepEqual(build.asked, ['a']);
    assert.equal(edges(build)['1.begin'], '0.end');
    const [run] = build.stages.get(1)!.steps;
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    assert.deepEqual(run!.step.kind === 'run' && run!.step.env, [path, 'X=1']);
  });

  it('finds the stages that triggers of a base image read', async () => {
    const trigger: ImageConfig = {
      ...linux,
      config: { OnBuild: ['COPY --from=0 /made /'] },
      rootfs: { type: 'layers', diff_ids: [] },
    };
    const build = await lowered('FROM x AS zero\nRUN make\nFROM trigger AS app\nRUN after', {
      configs: { trigger },
    });
    assert.deepEqual([...build.stages.keys()], [0, 1]);
    assert.equal(edges(build)['1.2'], '1.begin 0.end');
    assert.equal(build.stages.get(1)!.steps.length, 2);
  });

  it('points at the step in the file', async () => {
    const build = await lowered('FROM a\nRUN one\nRUN two');
    const { span } = build.graph.get('0.3');
    assert.equal(span!.file.text.slice(span!.start, span!.end), 'RUN two');
  });

  it('lowers 40 stages with 300 steps into one connected graph', async () => {
    const stages = Array.from({ length: 40 }, (_, i) => {
      const from = i % 4 === 3 ? `s${i - 1}` : 'base';
      const copies = i > 0 ? [`COPY --from=s${i - 1} /x /x${i}`] : ['RUN first'];
      const runs = Array.from({ length: 6 }, (_, n) => `RUN echo \${STAGE}-${n} > /out/${i}/${n}`);
      return [`FROM ${from} AS s${i}`, `ENV STAGE=${i}`, ...copies, ...runs].slice(0, 9).join('\n');
    });
    const build = await lowered(stages.join('\n'));
    assert.equal(build.stages.size, 40);
    assert.equal(build.graph.vertices.filter(({ op }) => op.kind === 'step').length, 320);
    assert.equal(build.graph.heaviestPath(() => 1).at(-1)!.key, '39.end');
  });
});
