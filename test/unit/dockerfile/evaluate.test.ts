import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unusedBuildArgs } from '../../../src/dockerfile/build-args.ts';
import { consumedArgs } from '../../../src/dockerfile/evaluate.ts';
import { type EvaluatedStage, evaluatePlan } from '../../../src/dockerfile/evaluate-plan.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { planStages } from '../../../src/dockerfile/stages.ts';
import type { Step } from '../../../src/dockerfile/step.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { ContainerConfig, ImageConfig } from '../../../src/spec/image-config.ts';

const platforms = {
  build: { os: 'linux', architecture: 'amd64' },
  target: { os: 'linux', architecture: 'arm64', variant: 'v8' },
};

interface Given {
  readonly args?: Record<string, string>;
  readonly base?: ContainerConfig;
}

function image(config: ContainerConfig): ImageConfig {
  return { os: 'linux', architecture: 'arm64', config, rootfs: { type: 'layers', diff_ids: [] } };
}

function evaluateText(text: string, given: Given = {}): EvaluatedStage[] {
  const buildArgs = new Map(Object.entries(given.args ?? {}));
  const instructions = buildInstructions(parseDockerfile({ name: 'Dockerfile', text }));
  const plan = planStages(instructions, { platforms, buildArgs });
  return evaluatePlan(plan, {
    buildArgs,
    baseConfig: () => (given.base === undefined ? undefined : image(given.base)),
  });
}

const finalConfig = (text: string, given?: Given) => evaluateText(text, given).at(-1)!.final.config.config!;

function lastStep<K extends Step['kind']>(text: string, kind: K, given?: Given): Extract<Step, { kind: K }> {
  const step = evaluateText(text, given).at(-1)!.steps.at(-1)!.step;
  assert.equal(step.kind, kind);
  return step as Extract<Step, { kind: K }>;
}

const runEnv = (text: string, given?: Given) =>
  lastStep(text, 'run', given).env.filter((entry) => !entry.startsWith('PATH='));

function failure(text: string, given?: Given): { code: string; message: string; at: string } {
  try {
    evaluateText(text, given);
  } catch (error) {
    assert.ok(isBuilderError(error), String(error));
    const { span } = error;
    return {
      code: error.code,
      message: error.message,
      at: span === undefined ? '' : span.file.text.slice(span.start, span.end),
    };
  }
  assert.fail('nothing was thrown');
}

test('FROM scratch starts with PATH and a root working directory', () => {
  assert.deepEqual(finalConfig('FROM scratch'), {
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  });
});

test('a base with PATH keeps it, one without gains it', () => {
  assert.deepEqual(finalConfig('FROM a', { base: { Env: ['PATH=/x'] } }).Env, ['PATH=/x']);
  assert.equal(finalConfig('FROM a', { base: { Env: ['A=b'] } }).Env?.[1]?.startsWith('PATH=/usr/local/sbin'), true);
});

test('one instruction sees one environment', () => {
  const { Env } = finalConfig('FROM a\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc', {
    base: { Env: ['PATH=/'] },
  });
  assert.deepEqual(Env, ['PATH=/', 'abc=bye', 'def=hello', 'ghi=bye']);
});

test('the later of ARG and ENV wins for RUN while the config keeps ENV', () => {
  assert.deepEqual(runEnv('FROM scratch\nENV v=env\nARG v=arg\nRUN x'), ['v=arg']);
  assert.deepEqual(finalConfig('FROM scratch\nENV v=env\nARG v=arg\nRUN x').Env?.at(-1), 'v=env');
  assert.deepEqual(runEnv('FROM scratch\nARG v=arg\nENV v=env\nRUN x'), ['v=env']);
  assert.deepEqual(runEnv('FROM scratch\nENV v=env\nARG v\nRUN x'), ['v=env']);
});

test('arguments are inherited by stages built FROM the stage and by no others', () => {
  const file = 'ARG g=1\nFROM scratch AS a\nARG g\nARG own=2\nFROM a\nRUN x';
  assert.deepEqual(runEnv(file).sort(), ['g=1', 'own=2']);
  assert.deepEqual(runEnv('ARG g=1\nFROM scratch AS a\nARG own=2\nFROM scratch\nRUN x'), []);
});

test('a build argument beats the default, raw; the default is expanded where it stands', () => {
  assert.deepEqual(runEnv('FROM scratch\nARG a=1\nARG b=$a-x\nRUN x', { args: { a: '$q' } }), ['a=$q', 'b=$q-x']);
});

test('an own default beats the global value, which only a bare ARG takes', () => {
  assert.deepEqual(runEnv('ARG a=global\nFROM scratch\nARG a=own\nRUN x'), ['a=own']);
  assert.deepEqual(runEnv('ARG a=global\nFROM scratch\nARG a\nRUN x'), ['a=global']);
});

test('platform arguments need a bare ARG in a stage', () => {
  assert.deepEqual(runEnv('FROM scratch\nRUN x'), []);
  assert.deepEqual(runEnv('FROM scratch\nARG TARGETARCH\nARG TARGETPLATFORM BUILDPLATFORM TARGETSTAGE\nRUN x'), [
    'TARGETARCH=arm64',
    'TARGETPLATFORM=linux/arm64',
    'BUILDPLATFORM=linux/amd64',
    'TARGETSTAGE=default',
  ]);
});

test('an undeclared proxy reaches RUN beside its environment and stays out of history', () => {
  const step = lastStep('FROM scratch\nRUN x', 'run', { args: { HTTP_PROXY: 'http://p' } });
  assert.deepEqual([step.proxyEnv, step.args, step.createdBy()], [['HTTP_PROXY=http://p'], [], '/bin/sh -c x']);
  const declared = lastStep('FROM scratch\nARG HTTP_PROXY\nRUN x', 'run', { args: { HTTP_PROXY: 'http://p' } });
  assert.deepEqual([declared.proxyEnv, declared.createdBy()], [[], '|1 HTTP_PROXY=http://p /bin/sh -c x']);
});

test('history of RUN names arguments sorted and the text behind the keyword', () => {
  const step = lastStep('FROM scratch\nARG B=2 A=1 C\nRUN --network=none  echo  $A', 'run');
  assert.equal(step.createdBy(':sum'), '|2 A=1 B=2 /bin/sh -c --network=none  echo  $A:sum');
  assert.deepEqual(step.argv, ['/bin/sh', '-c', 'echo  $A']);
});

test('SHELL governs later shell forms', () => {
  const config = finalConfig('FROM scratch\nSHELL ["/bin/bash","-c"]\nCMD echo  hi\nENTRYPOINT ["a"]');
  assert.deepEqual(
    [config.Shell, config.Cmd, config.Entrypoint],
    [['/bin/bash', '-c'], ['/bin/bash', '-c', 'echo  hi'], ['a']],
  );
});

test('ENTRYPOINT clears an inherited CMD but not one of its own stage', () => {
  assert.equal(finalConfig('FROM a\nENTRYPOINT ["e"]', { base: { Cmd: ['c'] } }).Cmd, undefined);
  assert.deepEqual(finalConfig('FROM a\nCMD ["own"]\nENTRYPOINT ["e"]', { base: { Cmd: ['c'] } }).Cmd, ['own']);
  assert.equal(finalConfig('FROM scratch AS a\nCMD ["c"]\nFROM a\nENTRYPOINT ["e"]').Cmd, undefined);
});

test('empty CMD and ENTRYPOINT take away what was inherited', () => {
  const config = finalConfig('FROM a\nCMD []\nENTRYPOINT []', { base: { Cmd: ['c'], Entrypoint: ['e'] } });
  assert.deepEqual([config.Cmd, config.Entrypoint], [undefined, undefined]);
});

test('a lone heredoc is the script, with a shebang it is run directly', () => {
  const plain = lastStep('FROM scratch\nRUN <<EOF\na\nb\nEOF', 'run');
  assert.deepEqual([plain.argv, plain.script], [['/bin/sh', '-c', 'a\nb\n'], undefined]);
  const tabs = lastStep('FROM scratch\nRUN <<-EOF\n\t#!/bin/py\n\t\tx\n\tEOF', 'run');
  assert.deepEqual(tabs.argv, ['/dev/pipes/EOF']);
  assert.deepEqual(tabs.script, { path: '/dev/pipes/EOF', content: '#!/bin/py\nx\n', mode: 0o755 });
});

test('a heredoc with anything else goes to the shell put together again', () => {
  const step = lastStep('FROM scratch\nRUN <<A cat > f && <<-"B" cat\none\nA\n\ttwo\nB', 'run');
  assert.deepEqual(step.argv, ['/bin/sh', '-c', '<<A cat > f && <<-"B" cat\none\nA\n\ttwo\nB']);
  assert.equal(step.stepText, 'RUN <<A cat > f && <<-"B" cat (one) (two)');
});

test('heredoc bodies of COPY are expanded with quotes kept unless the delimiter is quoted', () => {
  const step = lastStep('FROM scratch\nENV n="w x"\nCOPY <<a <<"b" /d/\n"$n" \\$n\na\n$n\nb', 'copy');
  assert.deepEqual(step.inlineFiles, [
    { name: 'a', content: '"w x" $n\n' },
    { name: 'b', content: '$n\n' },
  ]);
  assert.deepEqual([step.destination, step.intoDirectory], ['/d', true]);
});

test('COPY joins its destination to WORKDIR and expands owner and mode', () => {
  const step = lastStep(
    'FROM scratch\nWORKDIR /w\nWORKDIR x\nARG u=me\nCOPY --chown=$u:g --chmod=u=rwX,go=rX --exclude=*.$u a* b',
    'copy',
  );
  assert.deepEqual(
    [step.destination, step.intoDirectory, step.chown, step.chmod, step.excludes, step.sources.map(({ text }) => text)],
    ['/w/x/b', false, 'me:g', 'u=rwX,go=rX', ['*.$u'], ['a*']],
  );
  assert.equal(step.createdBy({ kind: 'file', hex: 'ab' }), '/bin/sh -c #(nop) COPY file:ab in b ');
});

test('COPY --from finds stages by index and by name in any case', () => {
  const file = 'FROM scratch AS one\nFROM scratch AS two\nFROM scratch\n';
  assert.deepEqual(lastStep(`${file}COPY --from=1 a b`, 'copy').from, { kind: 'stage', index: 1 });
  assert.deepEqual(lastStep(`${file}COPY --from=ONE a b`, 'copy').from, { kind: 'stage', index: 0 });
  assert.deepEqual(lastStep(`${file}COPY --from=alpine:3 a b`, 'copy').from, { kind: 'image', reference: 'alpine:3' });
});

test('ADD tells paths, downloads and repositories apart', () => {
  const step = lastStep(
    'FROM scratch\nADD a http://h/x.tar https://h/r.git#v1 git@h:o/r ssh://h/r github.com/o/r /d/',
    'add',
  );
  assert.deepEqual(
    step.sources.map(({ kind }) => kind),
    ['local', 'http', 'git', 'git', 'git', 'local'],
  );
});

test('EXPOSE expands, then splits, then unrolls ranges', () => {
  const config = finalConfig('FROM scratch\nENV P="80 81/UDP"\nEXPOSE $P 90-91 1.2.3.4:5:6');
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}), ['80/tcp', '81/udp', '90/tcp', '91/tcp', '6/tcp']);
});

test('the small instructions set what they name', () => {
  const config = finalConfig(
    'FROM scratch\nUSER u:g\nVOLUME ["/a b"]\nVOLUME /c /d\nSTOPSIGNAL sigint\nLABEL "com.x"="A B" y=$none\nONBUILD RUN $x\n' +
      'HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl x',
  );
  assert.deepEqual(config, {
    Env: config.Env,
    User: 'u:g',
    Volumes: { '/a b': {}, '/c': {}, '/d': {} },
    StopSignal: 'sigint',
    Labels: { 'com.x': 'A B', y: '' },
    OnBuild: ['RUN $x'],
    Healthcheck: { Test: ['CMD-SHELL', 'curl x'], Interval: 90e9, Timeout: 5e8, Retries: 3 },
  });
});

test('WORKDIR tells who owns what is made', () => {
  const step = lastStep('FROM scratch\nUSER bob\nWORKDIR /a/../b/', 'workdir');
  assert.deepEqual([step.path, step.owner, step.createdBy], ['/b', 'bob', '/bin/sh -c #(nop) WORKDIR /a/../b/']);
});

test('triggers of an image fire first and are gone afterwards', () => {
  const [stage] = evaluateText('FROM a\nRUN own', { base: { OnBuild: ['COPY <<x /y\nq\nx', 'ENV t=1'] } });
  assert.deepEqual(
    stage!.steps.map(({ step }) => [step.kind, step.isTrigger]),
    [
      ['copy', true],
      ['config', true],
      ['run', false],
    ],
  );
  assert.equal(stage!.final.config.config?.OnBuild, undefined);
});

test('triggers of a stage fire in stages built from it', () => {
  const stages = evaluateText('FROM scratch AS a\nONBUILD ENV t=1\nFROM a\nRUN x');
  assert.deepEqual(
    stages[1]!.steps.map(({ step }) => step.stepText),
    ['ENV t=1', 'RUN x'],
  );
});

test('history tells the line as written, and of ARG the names that have a value so far', () => {
  assert.equal(lastStep('FROM scratch\nENV a="b  c"', 'config').createdBy, '/bin/sh -c #(nop) ENV a="b  c"');
  assert.equal(lastStep('FROM scratch\nARG x=1\nENV a=$x', 'config').createdBy, '/bin/sh -c #(nop) ENV a=$x');
  assert.equal(lastStep('FROM scratch\nARG x=1 y\nARG b=2', 'arg').createdBy, '/bin/sh -c #(nop) ARG b x');
});

test('mounts are resolved with variables, defaults and their content', () => {
  const { mounts } = lastStep(
    'FROM scratch AS s\nFROM scratch\nWORKDIR /w\nARG c=id\nRUN --mount=target=t,rw,from=S ' +
      '--mount=type=cache,id=$c/1,dst=/c,sharing=locked,mode=0700,uid=5 --mount=type=tmpfs,target=/t,size=1.5k ' +
      '--mount=type=secret,id=k,env=K --mount=type=secret,target=/x/y --mount=type=ssh,required ' +
      '--mount=type=ssh,id=other --mount=\'type=bind,"source=/a,b",target=/q\' x',
    'run',
  );
  const plain = mounts.map(({ span: _span, ...mount }) => JSON.parse(JSON.stringify(mount)));
  assert.deepEqual(plain, [
    { type: 'bind', from: 'S', source: '/', target: '/w/t', readOnly: false, content: { kind: 'stage', index: 0 } },
    {
      type: 'cache',
      id: 'id/1',
      source: '/',
      target: '/c',
      readOnly: false,
      sharing: 'locked',
      mode: 0o700,
      uid: 5,
      content: { kind: 'scratch' },
    },
    { type: 'tmpfs', target: '/t', sizeBytes: 1536 },
    { type: 'secret', id: 'k', env: 'K', required: false },
    { type: 'secret', id: 'y', target: '/x/y', required: false },
    { type: 'ssh', id: 'default', target: '/run/buildkit/ssh_agent.0', required: true },
    { type: 'ssh', id: 'other', target: '/run/buildkit/ssh_agent.1', required: false },
    { type: 'bind', source: '/a,b', target: '/q', readOnly: true },
  ]);
});

test("Podman's relabelling is understood where there is content to label", () => {
  const relabel = (mount: string) => {
    const [only] = lastStep(`FROM scratch\nRUN --mount=${mount} x`, 'run').mounts;
    return only !== undefined && 'relabel' in only ? only.relabel : undefined;
  };
  assert.deepEqual(['target=/a,z', 'type=cache,target=/a,Z', 'target=/a,relabel=shared', 'target=/a'].map(relabel), [
    'shared',
    'private',
    'shared',
    undefined,
  ]);
});

test('unset variables are noted with their place, declared arguments are not', () => {
  const { step } = evaluateText('FROM scratch\nARG decl\nENV a=$decl b=x\\\n$oops c=${d:-$e}')[0]!.steps[1]!;
  assert.deepEqual(
    step.undefinedUses.map(({ name, span }) => [name, span.file.text.slice(span.start, span.end)]),
    [
      ['oops', '$oops'],
      ['e', '$e'],
      ['d', '${d:-$e}'],
    ],
  );
});

test('unused build arguments are found with the name they were meant to be', () => {
  const [stage] = evaluateText('FROM scratch\nARG VERSION', { args: { VERSOIN: '1' } });
  const unused = unusedBuildArgs(
    new Map([
      ['VERSOIN', '1'],
      ['no_proxy', ''],
      ['BUILDKIT_INLINE_CACHE', '1'],
    ]),
    consumedArgs(stage!.final),
  );
  assert.deepEqual(unused, [{ name: 'VERSOIN', suggestion: 'VERSION' }]);
});

const FAILURES: readonly (readonly [what: string, text: string, code: string, at: string])[] = [
  ['a required variable that is unset', 'FROM scratch\nENV a=x${u:?gone}', 'dockerfile.expansion', '${u:?gone}'],
  ['a port out of range', 'FROM scratch\nEXPOSE 70000', 'dockerfile.syntax', '70000'],
  ['an unknown signal', 'FROM scratch\nSTOPSIGNAL SIGFOO', 'dockerfile.syntax', 'SIGFOO'],
  ['a bad mode', 'FROM scratch\nCOPY --chmod=999 a b', 'dockerfile.syntax', '999'],
  ['COPY of a URL', 'FROM scratch\nCOPY http://x/y /z', 'dockerfile.syntax', 'http://x/y'],
  ['a checksum for a local file', 'FROM scratch\nADD --checksum=sha256:00 a b', 'dockerfile.syntax', 'sha256:00'],
  ['a mount over the root', 'FROM scratch\nRUN --mount=target=/ x', 'dockerfile.syntax', 'target=/'],
  ['an unknown mount option', 'FROM scratch\nRUN --mount=tarqet=/a x', 'dockerfile.syntax', 'tarqet=/a'],
  ['an unknown mount type', 'FROM scratch\nRUN --mount=type=bnd,target=/a x', 'dockerfile.syntax', 'type=bnd'],
  [
    'an option of another mount type',
    'FROM scratch\nRUN --mount=type=tmpfs,target=/a,uid=1 x',
    'dockerfile.syntax',
    'uid=1',
  ],
  [
    'the mode of a tmpfs on another',
    'FROM scratch\nRUN --mount=type=bind,target=/a,tmpfs-mode=700 x',
    'dockerfile.syntax',
    'tmpfs-mode=700',
  ],
  [
    'a mode that is no octal number',
    'FROM scratch\nRUN --mount=type=tmpfs,target=/a,tmpfs-mode=9 x',
    'dockerfile.syntax',
    'tmpfs-mode=9',
  ],
  ['relabelling of a tmpfs', 'FROM scratch\nRUN --mount=type=tmpfs,target=/a,z x', 'dockerfile.syntax', 'z'],
  ['a variable in a mount source stage', 'FROM scratch\nRUN --mount=from=$x,target=/a x', 'dockerfile.syntax', '$x'],
  ['a variable in --from', 'FROM scratch\nCOPY --from=$x a b', 'dockerfile.syntax', '$x'],
  ['an unknown flag', 'FROM scratch\nCOPY --chwon=1 a b', 'dockerfile.unknown-flag', '--chwon'],
  ['a flag where none is known', 'FROM scratch\nCMD --x ["a"]', 'dockerfile.unknown-flag', '--x'],
  ['a doubled flag', 'FROM scratch\nCOPY --link --link a b', 'dockerfile.syntax', '--link'],
  ['an unknown instruction', 'FROM scratch\nCOYP a b', 'dockerfile.unknown-instruction', 'COYP'],
  ['a stage index that does not exist', 'FROM scratch\nCOPY --from=7 a b', 'dockerfile.stage-not-found', '7'],
  ['a stage that comes later', 'FROM scratch\nCOPY --from=b a b\nFROM scratch AS b', 'dockerfile.stage-not-found', 'b'],
  ['a stage that copies from itself', 'FROM scratch AS a\nCOPY --from=a x y', 'dockerfile.syntax', 'a'],
  ['an instruction before FROM', 'RUN x\nFROM scratch', 'dockerfile.syntax', 'RUN x'],
  ['a blank base name', 'FROM $nope', 'dockerfile.syntax', '$nope'],
  ['ONBUILD ONBUILD', 'FROM scratch\nONBUILD ONBUILD RUN x', 'dockerfile.syntax', 'ONBUILD'],
  ['a bad stage name', 'FROM scratch AS 1a', 'dockerfile.syntax', '1a'],
  ['SHELL without JSON', 'FROM scratch\nSHELL bash -c', 'dockerfile.syntax', 'bash -c'],
  ['a short health check interval', 'FROM scratch\nHEALTHCHECK --interval=1us CMD x', 'dockerfile.syntax', '1us'],
  [
    'flags of HEALTHCHECK NONE',
    'FROM scratch\nHEALTHCHECK --interval=1s NONE',
    'dockerfile.unknown-flag',
    '--interval',
  ],
  ['flags of ARG', 'FROM scratch\nARG --x a', 'dockerfile.unknown-flag', '--x'],
  ['a heredoc as destination', 'FROM scratch\nCOPY a <<EOF\nEOF', 'dockerfile.syntax', '<<EOF'],
  ['COPY with one argument', 'FROM scratch\nCOPY a', 'dockerfile.syntax', 'COPY a'],
];

for (const [what, text, code, at] of FAILURES) {
  test(`refused at its place: ${what}`, () => {
    const found = failure(text);
    assert.deepEqual([found.code, found.at], [code, at], found.message);
  });
}
