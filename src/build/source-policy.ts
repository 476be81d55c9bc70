/**
 * Source policies: rules about where a build may read from, in BuildKit's JSON. Of ALLOW and DENY the last rule that
 * fits decides; CONVERT gives the source another name or attributes and starts over with those. Pure.
 *
 * @see BuildKit's sourcepolicy package and its policy.proto
 */
import { BuilderError } from '../report/builder-error.ts';

/** A source as policies see it. */
export interface PolicySource {
  /** `docker-image://…`, `https://…`, `git://…`, `oci-layout://…`, `local://…` */
  readonly identifier: string;
  /** `http.checksum`, `git.fullurl`, `git.checksum`; absent ones count as ''. */
  readonly attrs: Readonly<Record<string, string>>;
}

export interface SourcePolicy {
  /** For messages. */
  readonly path: string;
  readonly rules: readonly PolicyRule[];
}

interface PolicyRule {
  readonly action: Action;
  readonly identifier: string;
  /** For everything but EXACT. */
  readonly pattern: RegExp | undefined;
  readonly constraints: readonly Constraint[];
  readonly updates: { readonly identifier: string; readonly attrs: Readonly<Record<string, string>> } | undefined;
}

interface Constraint {
  readonly key: string;
  readonly value: string;
  readonly condition: Condition;
  readonly pattern: RegExp | undefined;
}

const ACTIONS = ['ALLOW', 'DENY', 'CONVERT'] as const;
const MATCHES = ['WILDCARD', 'EXACT', 'REGEX'] as const;
const CONDITIONS = ['EQUAL', 'NOTEQUAL', 'MATCHES'] as const;
type Action = (typeof ACTIONS)[number];
type Condition = (typeof CONDITIONS)[number];

/** What a rule may set; anything else would have no effect here and is refused. */
const SETTABLE = ['http.checksum', 'git.checksum', 'git.fullurl'];
/** Rounds of CONVERT for one source, as BuildKit counts them. */
const MAX_ROUNDS = 20;

/**
 * What may be read in the place of a source: itself unless a rule converts it.
 * @throws `policy.denied`; `policy.invalid` when conversions do not end
 */
export function applyPolicy(policy: SourcePolicy, source: PolicySource): PolicySource {
  let current = source;
  for (let round = 0; round <= MAX_ROUNDS; round++) {
    const next = convertedOnce(policy, current);
    if (next === undefined) return current;
    current = next;
  }
  throw new BuilderError(
    'policy.invalid',
    `the source policy ${policy.path} converts ${source.identifier} more than ${MAX_ROUNDS} times`,
  );
}

function convertedOnce({ path, rules }: SourcePolicy, source: PolicySource): PolicySource | undefined {
  let denial: number | undefined;
  for (const [i, rule] of rules.entries()) {
    if (!fits(rule, source)) continue;
    if (rule.action === 'CONVERT') {
      const next = converted(rule, source);
      if (next !== undefined) return next;
    } else {
      denial = rule.action === 'DENY' ? i : undefined;
    }
  }
  if (denial === undefined) return undefined;
  throw new BuilderError(
    'policy.denied',
    `the source ${source.identifier} is denied by rule ${denial + 1} of the source policy ${path}`,
    { facts: { source: source.identifier, policy: path, rule: denial + 1 } },
  );
}

function fits({ identifier, pattern, constraints }: PolicyRule, source: PolicySource): boolean {
  const isMet = constraints.every(({ key, value, condition, pattern: wanted }) => {
    const have = source.attrs[key] ?? '';
    if (condition === 'EQUAL') return have === value;
    return condition === 'NOTEQUAL' ? have !== value : wanted!.test(have);
  });
  return isMet && (source.identifier === identifier || pattern?.test(source.identifier) === true);
}

/** undefined when the source is already as the rule would have it. A rule that sets attributes alone keeps its name. */
function converted({ pattern, updates }: PolicyRule, source: PolicySource): PolicySource | undefined {
  const template = updates!.identifier;
  const filled =
    pattern === undefined || template === ''
      ? template
      : source.identifier.replaceAll(new RegExp(pattern, `${pattern.flags}g`), (...found) => expand(template, found));
  const next = {
    identifier: filled === '' ? source.identifier : filled,
    attrs: { ...source.attrs, ...updates!.attrs },
  };
  const isSame =
    next.identifier === source.identifier &&
    Object.entries(updates!.attrs).every(([key, value]) => (source.attrs[key] ?? '') === value);
  return isSame ? undefined : next;
}

/** `$1`, `${1}`, `$name`, `${name}` and `$$`, as Go's Regexp.Expand takes them: unknown ones are empty. */
function expand(template: string, found: readonly unknown[]): string {
  const named = typeof found.at(-1) === 'object' ? (found.at(-1) as Record<string, string | undefined>) : {};
  const at = found.findIndex((value) => typeof value === 'number');
  const groups = found.slice(0, at) as (string | undefined)[];
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (all: string, bare?: string, braced?: string) => {
    const name = bare ?? braced;
    if (name === undefined) return all === '$$' ? '$' : all;
    return (/^\d+$/.test(name) ? groups[Number(name)] : named[name]) ?? '';
  });
}

/** @param path for messages. @throws `policy.invalid` naming the rule and the key */
export function parseSourcePolicy(text: string, path: string): SourcePolicy {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new BuilderError('policy.invalid', `the source policy ${path} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  const read = new PolicyReader(path);
  const top = read.record(document, 'the file', ['version', 'rules']);
  if (top['version'] !== undefined && top['version'] !== 1 && top['version'] !== 0) {
    throw read.invalid('version', 'is not 1');
  }
  const rules = read.list(top['rules'], 'rules');
  return { path, rules: rules.map((rule, i) => read.rule(rule, `rules[${i}]`)) };
}

class PolicyReader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  invalid(where: string, why: string): BuilderError {
    return new BuilderError('policy.invalid', `the source policy ${this.#path} is malformed: ${where} ${why}`);
  }

  rule(value: unknown, where: string): PolicyRule {
    const { action, selector, updates } = this.record(value, where, ['action', 'selector', 'updates']);
    const kind = this.choice(action, `${where}.action`, ACTIONS);
    const keys = ['identifier', 'matchType', 'match_type', 'constraints'];
    const fields = this.record(selector, `${where}.selector`, keys);
    const identifier = this.text(fields['identifier'], `${where}.selector.identifier`);
    const matchType = this.choice(fields['matchType'] ?? fields['match_type'], `${where}.selector.matchType`, MATCHES);
    if (kind === 'CONVERT' && updates === undefined) throw this.invalid(`${where}.updates`, 'is missing');
    const constraints = this.list(fields['constraints'] ?? [], `${where}.selector.constraints`);
    return {
      action: kind,
      identifier,
      pattern: this.#pattern(identifier, matchType, `${where}.selector.identifier`),
      constraints: constraints.map((one, i) => this.#constraint(one, `${where}.selector.constraints[${i}]`)),
      updates: updates === undefined ? undefined : this.#updates(updates, `${where}.updates`),
    };
  }

  #pattern(identifier: string, type: (typeof MATCHES)[number], where: string): RegExp | undefined {
    if (type === 'EXACT') return undefined;
    if (type === 'REGEX') return this.#regex(identifier, where);
    if (identifier.includes('**')) throw this.invalid(where, 'has "**", which is no wildcard');
    const quoted = identifier.replace(/[.+?^${}()|[\]\\/-]/g, '\\$&');
    return new RegExp(`^${quoted.replaceAll('*', '(.*)')}$`);
  }

  /** Go's syntax where JavaScript has the same under another spelling. */
  #regex(source: string, where: string): RegExp {
    const [, flags = '', rest = source] = /^\(\?([is]+)\)(.*)$/s.exec(source) ?? [];
    try {
      return new RegExp(rest.replaceAll('(?P<', '(?<'), flags);
    } catch {
      throw this.invalid(where, `is no regular expression: ${JSON.stringify(source)}`);
    }
  }

  #constraint(value: unknown, where: string): Constraint {
    const fields = this.record(value, where, ['key', 'value', 'condition']);
    const condition = this.choice(fields['condition'], `${where}.condition`, CONDITIONS);
    const key = this.text(fields['key'], `${where}.key`);
    const wanted = fields['value'] === undefined ? '' : this.text(fields['value'], `${where}.value`);
    const pattern = condition === 'MATCHES' ? this.#regex(wanted, `${where}.value`) : undefined;
    return { key, value: wanted, condition, pattern };
  }

  #updates(value: unknown, where: string): PolicyRule['updates'] {
    const fields = this.record(value, where, ['identifier', 'attrs']);
    const identifier = fields['identifier'] === undefined ? '' : this.text(fields['identifier'], `${where}.identifier`);
    const attrs = this.record(fields['attrs'] ?? {}, `${where}.attrs`, SETTABLE);
    const texts = Object.entries(attrs).map(([key, text]) => [key, this.text(text, `${where}.attrs.${key}`)] as const);
    return { identifier, attrs: Object.fromEntries(texts) };
  }

  /** By name, or by number as protocol buffers have them; absent is the first. */
  choice<T extends string>(value: unknown, where: string, names: readonly T[]): T {
    if (value === undefined) return names[0]!;
    const found = typeof value === 'number' ? names[value] : names.find((name) => name === value);
    if (found !== undefined) return found;
    throw this.invalid(where, `is ${JSON.stringify(value)}, not one of ${names.join(', ')}`);
  }

  text(value: unknown, where: string): string {
    if (typeof value === 'string') return value;
    throw this.invalid(where, value === undefined ? 'is missing' : 'is not a text');
  }

  list(value: unknown, where: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.invalid(where, value === undefined ? 'is missing' : 'is not a list');
  }

  record(value: unknown, where: string, keys: readonly string[]): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.invalid(where, value === undefined ? 'is missing' : 'is not an object');
    }
    const unknown = Object.keys(value).find((key) => !keys.includes(key));
    if (unknown === undefined) return value as Record<string, unknown>;
    throw this.invalid(where, `has ${JSON.stringify(unknown)}, which is not known; it may have ${keys.join(', ')}`);
  }
}
