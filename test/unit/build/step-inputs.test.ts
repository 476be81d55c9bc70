import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stepKey } from '../../../src/build/build-cache.ts';
import { copyText, runInputs } from '../../../src/build/step-inputs.ts';
import type { RunDefaults } from '../../../src/container/working-container.ts';
import { evaluatePlan } from '../../../src/dockerfile/evaluate-plan.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { planStages } from '../../../src/dockerfile/stages.ts';
import type { CopyStep, RunStep, Step } from '../../../src/dockerfile/step.ts';
import { hostPlatform } from '../../../src/spec/platform.ts';

function lastStep(body: string, args: Readonly<Record<string, string>> = {}): Step {
  const parsed = parseDockerfile({ name: 'Dockerfile', text: `FROM scratch\n${body}\n` });
  const buildArgs = new Map(Object.entries(args));
  const platforms = { build: hostPlatform(), target: hostPlatform() };
  const plan = planStages(buildInstructions(parsed), { platforms, buildArgs, contexts: new Set() });
  return evaluatePlan(plan, { buildArgs }).at(-1)!.steps.at(-1)!.step;
}

function runKey(body: string, args: Readonly<Record<string, string>> = {}, defaults: RunDefaults = {}): string {
  const step = lastStep(body, args) as RunStep;
  return stepKey(runInputs(step, 'sha256:below', 'linux/amd64', defaults, [])).digest;
}

const same = (a: string, b: string): void => assert.equal(a, b);
const other = (a: string, b: string): void => assert.notEqual(a, b);

describe('the key of a RUN', () => {
  it('holds the command, arguments and variables it sees', () => {
    const plain = runKey('RUN make');
    other(plain, runKey('RUN make all'));
    other(plain, runKey('ENV A=1\nRUN make'));
    other(runKey('ARG V\nRUN make', { V: '1' }), runKey('ARG V\nRUN make', { V: '2' }));
    other(plain, runKey('WORKDIR /x\nRUN make'));
    other(plain, runKey('USER 7\nRUN make'));
    other(plain, runKey('RUN --network=none make'));
    other(runKey('RUN <<E\none\nE'), runKey('RUN <<E\ntwo\nE'));
    other(runKey('RUN <<E\n#!/bin/sh\none\nE'), runKey('RUN <<E\n#!/bin/sh\ntwo\nE'));
  });

  it('does not hold what it cannot see', () => {
    const plain = runKey('RUN make');
    same(plain, runKey('LABEL a=b\nRUN make'));
    same(plain, runKey('RUN make', { V: '2' }));
    same(plain, runKey('ARG V\nRUN make'));
    same(plain, runKey('CMD ["x"]\nEXPOSE 80\nRUN make'));
    same(plain, runKey('RUN   make'));
    same(plain, runKey('RUN make', { HTTP_PROXY: 'http://proxy' }));
    other(plain, runKey('ARG HTTP_PROXY\nRUN make', { HTTP_PROXY: 'http://proxy' }));
    same(runKey('ENV A=1\nENV B=2\nRUN make'), runKey('ENV B=2\nENV A=1\nRUN make'));
  });

  it('holds nothing of secrets and agents, and of a cache the directory it hides', () => {
    const plain = runKey('RUN make');
    same(plain, runKey('RUN --mount=type=secret,id=token make'));
    same(plain, runKey('RUN --mount=type=secret,id=other,env=TOKEN make'));
    same(plain, runKey('RUN --mount=type=ssh make'));
    const cached = runKey('RUN --mount=type=cache,target=/c make');
    other(plain, cached);
    same(cached, runKey('RUN --mount=type=cache,target=/c,id=other,sharing=locked make'));
    other(cached, runKey('RUN --mount=type=cache,target=/d make'));
    other(plain, runKey('RUN --mount=type=tmpfs,target=/t make'));
  });

  it('holds the flags of the command line that a process can see', () => {
    const plain = runKey('RUN make');
    const defaults: RunDefaults[] = [
      { network: 'none' },
      { addCapabilities: ['CAP_NET_ADMIN'] },
      { dropCapabilities: ['CAP_CHOWN'] },
      { addHosts: ['a:1.2.3.4'] },
      { dns: ['1.1.1.1'] },
      { dnsSearch: ['x'] },
      { dnsOptions: ['x'] },
      { noHosts: true },
      { noHostname: true },
      { limits: [{ name: 'nofile', soft: 1, hard: 2 }] },
      { shmSizeBytes: 1 },
      { securityOptions: ['no-new-privileges'] },
      { volumes: ['/a:/b'] },
      { devices: ['/dev/fuse'] },
    ];
    const keys = defaults.map((one) => runKey('RUN make', {}, one));
    assert.equal(new Set([plain, ...keys]).size, defaults.length + 1);
    same(plain, runKey('RUN make', {}, { isolation: 'chroot', httpProxy: false, noHosts: false, limits: [] }));
  });
});

describe('the words of a COPY in its key', () => {
  const words = (body: string, args: Readonly<Record<string, string>> = {}): string => {
    const step = lastStep(body, args) as CopyStep;
    return copyText(step, step.destination);
  };

  it('are the expanded ones', () => {
    assert.equal(
      words('ARG V=1\nWORKDIR /w\nCOPY --link --chown=a:b --chmod=755 --exclude=*.md --parents a/$V b ./x/', {
        V: '2',
      }),
      'COPY --link --chown=a:b --chmod=755 --exclude=*.md --parents a/2 b /w/x',
    );
    assert.equal(words('COPY <<EOF /f\ntext\nEOF'), 'COPY <<EOF /f');
  });

  it('leave out where from, and credentials', () => {
    assert.equal(words('COPY --from=alpine /etc/x /y'), 'COPY /etc/x /y');
    assert.equal(words('ADD https://user:secret@example.com/x /y'), 'ADD https://example.com/x /y');
  });
});
