/**
 * Reads the text of a policy.json. A key that is unknown, repeated or of the wrong kind makes the whole file unusable:
 * a policy that is half understood protects nothing.
 * @see containers-policy.json(5)
 */
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { positionOf, type SourceFile } from '../report/source-file.ts';
import type { JsonPath } from '../spec/json-place.ts';
import { type JsonValue, parseStrictJson } from '../spec/strict-json.ts';
import { parseRequirement } from './parse-requirement.ts';
import type { Policy, Requirement } from './policy.ts';
import { PolicyObject } from './policy-object.ts';

const LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 16 };
const PATH_TRANSPORTS = ['dir', 'oci', 'oci-archive', 'sif'];
const NAME_TRANSPORTS = ['docker', 'docker-daemon', 'atomic'];
const UNSCOPED_TRANSPORTS = ['docker-archive', 'tarball'];

/** @throws `trust.invalid` naming file, line and key, with a span */
export function parsePolicy(file: SourceFile): Policy {
  const top = new PolicyObject(file, [], parseJson(file));
  const requirements = requirementList(top, 'default');
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>();
  if (top.has('transports')) {
    const all = top.object('transports');
    for (const transport of all.keys()) transports.set(transport, scopesOf(all.object(transport), transport));
  }
  top.end();
  return { file, default: requirements, transports };
}

function parseJson(file: SourceFile): JsonValue {
  try {
    return parseStrictJson(Buffer.from(file.text), 'it', LIMITS);
  } catch (error) {
    const found = syntaxPlace(error, file.text);
    if (found === undefined) throw error;
    const { line } = positionOf(file, found.at);
    throw new BuilderError('trust.invalid', `the signature policy ${file.name}:${line} cannot be used: ${found.why}`, {
      cause: error,
      span: { file, start: found.at, end: Math.min(found.at + 1, file.text.length) },
      facts: { file: file.name, line },
    });
  }
}

/** Where the text stops being JSON, or has a second key of one name. */
function syntaxPlace(error: unknown, text: string): { readonly at: number; readonly why: string } | undefined {
  if (!isBuilderError(error, 'manifest.invalid')) return undefined;
  const { offset } = error.facts;
  if (typeof offset === 'number') return { at: offset, why: error.message.replace(/^it is refused: /, '') };
  const said = error.cause instanceof Error ? error.cause.message : error.message;
  const why = said.replace(/ in JSON at position.*$/s, '').replace(/, \.{0,3}"[\s\S]*$/, '');
  return { at: brokenAt(text), why: `it is not JSON: ${why}` };
}

/** The parser does not always say where: this is the character behind the longest part that more text could complete. */
function brokenAt(text: string): number {
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const position = /at position (\d+)/.exec(message)?.[1];
    return /end of JSON|Unterminated/.test(message) || Number(position) === text.length;
  }
}

function scopesOf(scopes: PolicyObject, transport: string): ReadonlyMap<string, readonly Requirement[]> {
  const all = new Map<string, readonly Requirement[]>();
  for (const scope of scopes.keys()) {
    const wrong = scope === '' ? undefined : scopeFault(transport, scope);
    if (wrong !== undefined) scopes.fail(scope, wrong);
    all.set(scope, requirementList(scopes, scope));
  }
  return all;
}

/** Why no image can have the scope; a rule that never holds is a mistake that must not wait to be found. */
function scopeFault(transport: string, scope: string): string | undefined {
  if (UNSCOPED_TRANSPORTS.includes(transport)) return `${transport} has no scope but ""`;
  if (PATH_TRANSPORTS.includes(transport)) {
    if (!scope.startsWith('/')) return 'a scope of this transport is an absolute path';
    if (scope === '/') return 'use the scope "" for the whole transport';
    return /\/(?:\/|$)|\/\.\.?(?:\/|$)/.test(scope) ? 'the path is not in its plain form' : undefined;
  }
  if (NAME_TRANSPORTS.includes(transport)) {
    const isName = /^(?:\*\.)?[^*\s/@]+(?:\/[^*\s/@]+)*(?:@sha256:[0-9a-f]{64})?$/.test(scope);
    return isName && !scope.includes('://') ? undefined : 'a scope of this transport is an image name or a part of one';
  }
  if (transport === 'containers-storage' && !/^\[(?:[^@\]]+@)?\/[^@\]]*\]/.test(scope)) {
    return 'a scope of this transport begins with [DRIVER@/GRAPH/ROOT]';
  }
  return undefined;
}

function requirementList(parent: PolicyObject, key: string): readonly Requirement[] {
  const list = parent.list(key);
  if (list.length === 0) parent.fail(key, 'the list of requirements is empty');
  return list.map((value, i) => {
    const path: JsonPath = [...parent.path, key, i];
    const object = new PolicyObject(parent.file, path, value);
    const requirement = parseRequirement(object);
    object.end();
    return { ...requirement, path };
  });
}
