/** Rules about base images, their arguments and platforms. */
import { suggest } from '../../report/suggestion.ts';
import { formatPlatform, normalizePlatform, parsePlatform } from '../../spec/platform.ts';
import { parseReference } from '../../spec/reference.ts';
import { globalScope, lookupIn, predefinedArgs } from '../build-args.ts';
import { expandFragment } from '../expand.ts';
import { spanOf } from '../fragment.ts';
import { extraRule, type LintRule, rule } from './rule.ts';

export const undefinedArgInFrom = rule(
  'UndefinedArgInFrom',
  'FROM should use declared ARGs only',
  function* ({ plan }) {
    const declared = plan.global.declared.map(({ name }) => name);
    for (const { name, span, known } of plan.undefinedUses) {
      const stage = plan.stages.findLast(({ from }) => from.span.start <= span.start);
      if (stage === undefined || declared.includes(name)) continue;
      const near = suggest(name, [...declared, ...known]);
      const message = `FROM uses '${name}', which no ARG before the first FROM declares`;
      yield { message, span, about: stage.from.raw, ...(near === undefined ? {} : { help: `did you mean ${near}?` }) };
    }
  },
);

/** Whether the text could name an image at all. */
function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

export const invalidDefaultArgInFrom = rule(
  'InvalidDefaultArgInFrom',
  'FROM should be valid with the default values of its ARGs',
  function* ({ plan }) {
    const none = new Map<string, string>();
    const defaults = globalScope(plan.globalArgs, predefinedArgs(plan.platforms, undefined, none), none);
    const names = new Set<string>(plan.stages.flatMap(({ name }) => name ?? []));
    for (const { from } of plan.stages) {
      const { text, variables } = expandFragment(from.image, lookupIn(defaults.values), from);
      if (variables.length === 0 || isReference(text) || names.has(text.toLowerCase())) continue;
      const message = `the defaults of its ARGs make ${JSON.stringify(text)} of '${from.image.text}', which is no image`;
      yield { message, span: spanOf(from.image), about: from.raw, help: 'give the ARG a default that works' };
    }
  },
);

export const redundantTargetPlatform = rule(
  'RedundantTargetPlatform',
  'The target platform is the default for FROM',
  function* ({ plan }) {
    for (const { from } of plan.stages) {
      if (from.platform === undefined) continue;
      const { text, variables } = expandFragment(from.platform, lookupIn(plan.global.values), from);
      const isOnlyTarget =
        variables.length > 0 && variables.every(({ name, isSet }) => isSet && name === 'TARGETPLATFORM');
      if (!isOnlyTarget || text !== plan.global.values.get('TARGETPLATFORM')) continue;
      const message = `--platform=${from.platform.text} says what is the default anyway`;
      yield { message, span: spanOf(from.platform), about: from.raw, help: 'leave --platform out' };
    }
  },
  ['DL3065'],
);

export const fromPlatformFlagConstDisallowed = rule(
  'FromPlatformFlagConstDisallowed',
  'The platform of FROM should not be a constant',
  function* ({ plan }) {
    for (const { from, name } of plan.stages) {
      if (from.platform === undefined) continue;
      const { text, variables } = expandFragment(from.platform, lookupIn(plan.global.values), from);
      const platform = parsePlatform(text);
      if (variables.length > 0 || platform === undefined) continue;
      // A stage named after its platform is constant on purpose.
      if (name?.includes(platform.os) || name?.includes(platform.architecture)) continue;
      const message = `--platform is the constant ${JSON.stringify(text)}`;
      yield { message, span: spanOf(from.platform), about: from.raw, help: 'use $BUILDPLATFORM or leave it out' };
    }
  },
  ['DL3029'],
);

/** Has no page of its own. */
export const invalidBaseImagePlatform: LintRule = {
  ...rule(
    'InvalidBaseImagePlatform',
    'The base image should be of the wanted platform',
    function* ({ plan, basePlatforms }) {
      for (const { index, from, baseText, platform } of plan.stages) {
        const actual = basePlatforms?.get(index);
        const wanted = platform ?? plan.platforms.target;
        if (actual === undefined || actual.architecture === '') continue;
        if (actual.os === wanted.os && actual.architecture === wanted.architecture) continue;
        const shown = [actual, wanted].map((p) => formatPlatform(normalizePlatform(p)));
        const message = `base image ${baseText} is of platform ${shown[0]}, but ${shown[1]} is wanted`;
        yield { message, span: spanOf(from.image), about: from.raw };
      }
    },
  ),
  url: undefined,
};

export const baseImageTag = extraRule(
  'recommended',
  'BaseImageTag',
  'A base image should be named with a version that does not move',
  ['DL3006', 'DL3007'],
  function* ({ plan }) {
    for (const { base, from } of plan.stages) {
      const name = base.kind === 'image' ? referenceOf(base.reference) : undefined;
      if (name === undefined || name.digest !== undefined) continue;
      if (name.tag !== undefined && name.tag !== 'latest') continue;
      const place = { span: spanOf(from.image), about: from.raw, help: 'name a version: image:1.2, or image@sha256:…' };
      if (name.tag === undefined)
        yield { message: 'without a tag, this is whatever is the latest', ...place, number: 'DL3006' };
      else yield { message: 'latest is another image every now and then', ...place, number: 'DL3007' };
    }
  },
);

/** Undefined for what is no name in a registry: archives, layouts. */
function referenceOf(text: string): ReturnType<typeof parseReference> | undefined {
  if (/^[a-z-]+:(\/|\.)/.test(text)) return undefined;
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
