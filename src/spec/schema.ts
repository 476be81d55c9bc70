/**
 * Manifests, indexes and configs from raw bytes, whoever sent them. Parsing refuses everything that two readers could
 * take for two different documents; the raw bytes stay what has the digest, the parsed value is only ever beside them.
 *
 * @see OCI image-spec 1.1; CVE-2021-41190 for documents that are manifest and index at once
 */
import { BuilderError } from '../report/builder-error.ts';
import type { ImageConfig } from './image-config.ts';
import { configSchema, descriptorSchema, indexSchema, manifestSchema, type Schema } from './image-schemas.ts';
import type { ImageIndex, Manifest } from './manifest.ts';
import { isIndex, isManifest, MEDIA } from './media-type.ts';
import { validateConfig, validateIndex, validateManifest } from './schema-validators.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from './strict-json.ts';

/** Bytes a manifest, index or config may have; registries and other tools draw the same line. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
/** No document of the specifications needs more than 7; the rest is room for extensions. */
const MAX_DEPTH = 64;

const LIMITS = { maxBytes: MAX_DOCUMENT_BYTES, maxDepth: MAX_DEPTH } as const;

export type ParsedManifest =
  | { readonly kind: 'manifest'; readonly mediaType: string; readonly value: Manifest }
  | { readonly kind: 'index'; readonly mediaType: string; readonly value: ImageIndex };

/**
 * Reads a manifest or an index, whichever the bytes are.
 * @param declaredMediaType what the descriptor or the `Content-Type` header says; one that names no kind of manifest
 *   (`application/json`, …) says nothing
 * @param name which one, for messages: `x of registry/repository`
 * @throws `manifest.invalid` naming the document, JSON pointer and expectation
 */
export function parseManifest(raw: Uint8Array, declaredMediaType?: string, name?: string): ParsedManifest {
  const declared = knownMediaType(declaredMediaType);
  const manifestName = named('the manifest', name);
  const document = parseObject(raw, manifestName);
  if ('layers' in document && 'manifests' in document) {
    throw refused(manifestName, '', 'it has both "layers" and "manifests", so it could be taken for two things');
  }
  refuseSchema1(document, declaredMediaType, manifestName);
  const kind = 'manifests' in document ? 'index' : 'manifest';
  const what = kind === 'index' ? named('the index', name) : manifestName;
  const mediaType = mediaTypeOf(document, kind, declared, what);
  const value = withoutNulls(document, ['layers', 'manifests']);
  refuseCaseVariants(value, kind === 'index' ? indexSchema : manifestSchema, what, '');
  if (kind === 'index') {
    check(validateIndex, value, what);
    return { kind, mediaType, value: value as unknown as ImageIndex };
  }
  check(validateManifest, value, what);
  return { kind, mediaType, value: value as unknown as Manifest };
}

/**
 * Reads an image config. Members that are null are left out, as Go's encoders write null for "nothing".
 * @param name which one, for messages: `sha256:… of registry/repository`
 * @throws `manifest.invalid` naming the document, JSON pointer and expectation
 */
export function parseImageConfig(raw: Uint8Array, name?: string): ImageConfig {
  const what = named('the image config', name);
  const value = withoutNulls(parseObject(raw, what), ['diff_ids']);
  refuseCaseVariants(value, configSchema, what, '');
  check(validateConfig, value, what);
  return value as unknown as ImageConfig;
}

function named(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} ${name}`;
}

function parseObject(raw: Uint8Array, what: string): JsonObject {
  const document = parseStrictJson(raw, what, LIMITS);
  if (!isJsonObject(document)) throw refused(what, '', 'must be an object');
  return document;
}

function refused(what: string, pointer: string, expectation: string): BuilderError {
  const place = pointer === '' ? '' : ` at ${pointer}`;
  return new BuilderError('manifest.invalid', `${what} is refused${place}: ${expectation}`, {
    facts: { pointer },
  });
}

/** Media type without parameters, if it names a kind of manifest; headers come as `type; charset=utf-8`. */
function knownMediaType(text: string | undefined): string | undefined {
  const bare = text?.replace(/;.*/, '').trim().toLowerCase();
  return bare !== undefined && (isIndex(bare) || isManifest(bare)) ? bare : undefined;
}

function refuseSchema1(document: JsonObject, declaredMediaType: string | undefined, what: string): void {
  if (document['schemaVersion'] !== 1 && declaredMediaType?.includes('.distribution.manifest.v1+') !== true) return;
  throw new BuilderError('manifest.invalid', `${what} is of Docker schema version 1, which is not supported`, {
    hint: 'push the image again with a tool of this decade; schema 1 was retired because it cannot be verified by digest',
  });
}

/** The document's own media type, else the declared one, else the one its fields imply; they must not contradict. */
function mediaTypeOf(
  document: JsonObject,
  kind: 'manifest' | 'index',
  declared: string | undefined,
  what: string,
): string {
  const own = document['mediaType'];
  if (own !== undefined && own !== null) {
    if (typeof own !== 'string' || knownMediaType(own) !== own) {
      throw refused(what, '/mediaType', `${JSON.stringify(own)} is no media type of a manifest or index`);
    }
    if (declared !== undefined && declared !== own) {
      throw refused(what, '/mediaType', `it says ${own}, but was declared as ${declared}`);
    }
  }
  const mediaType = (own as string | undefined | null) ?? declared ?? impliedMediaType(document, kind);
  if (isIndex(mediaType) !== (kind === 'index')) {
    throw refused(
      what,
      '',
      `media type ${mediaType} contradicts its content, which is that of a${kind === 'index' ? 'n' : ''} ${kind}`,
    );
  }
  return mediaType;
}

function impliedMediaType(document: JsonObject, kind: 'manifest' | 'index'): string {
  if (kind === 'index') return MEDIA.ociIndex;
  const config = document['config'];
  const docker = isJsonObject(config) && config['mediaType'] === MEDIA.dockerConfig;
  return docker ? MEDIA.dockerManifest : MEDIA.ociManifest;
}

/** Drops members that are null, at any depth; those named in `lists` become empty lists instead. */
function withoutNulls<V extends JsonValue>(value: V, lists: readonly string[]): V {
  if (Array.isArray(value)) return value.map((element) => withoutNulls(element as JsonValue, lists)) as JsonValue as V;
  if (!isJsonObject(value)) return value;
  const kept: [string, JsonValue][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member !== null) kept.push([key, withoutNulls(member, lists)]);
    else if (lists.includes(key)) kept.push([key, []]);
  }
  return Object.fromEntries(kept) as V;
}

/** Go matches field names without regard to case, so `Layers` would be `layers` to it and nothing to us. */
function refuseCaseVariants(value: JsonValue, schema: Schema, what: string, pointer: string): void {
  const node = schema.$ref === undefined ? schema : descriptorSchema;
  if (Array.isArray(value)) {
    if (node.items === undefined) return;
    for (const [i, element] of value.entries()) refuseCaseVariants(element, node.items, what, `${pointer}/${i}`);
    return;
  }
  if (!isJsonObject(value) || node.properties === undefined) return;
  const properties = new Map(Object.entries(node.properties));
  const folded = new Map([...properties.keys()].map((name) => [fold(name), name]));
  for (const [key, member] of Object.entries(value)) {
    const child = properties.get(key);
    const known = folded.get(fold(key));
    if (child === undefined && known !== undefined) {
      throw refused(what, `${pointer}/${key}`, `the key differs from "${known}" only in case`);
    }
    if (child !== undefined) refuseCaseVariants(member, child, what, `${pointer}/${key}`);
  }
}

/** Up, then down: the long s and the Kelvin sign fold like Go folds them. */
function fold(key: string): string {
  return key.toUpperCase().toLowerCase();
}

interface Validator {
  (value: unknown): boolean;
  readonly errors?: readonly SchemaError[] | null;
}

interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function check(validate: Validator, value: JsonObject, what: string): void {
  if (validate(value)) return;
  const error = validate.errors?.[0];
  const pointer = error?.instancePath ?? '';
  throw refused(what, pointer, expectation(error, valueAt(value, pointer)));
}

function valueAt(document: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    value = Array.isArray(value) ? value[Number(key)] : isJsonObject(value) ? value[key] : undefined;
  }
  return value;
}

/** Our words for what the schema expected; the value is shown cut short, it may be hostile. */
function expectation(error: SchemaError | undefined, value: JsonValue | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  switch (error?.keyword) {
    case 'required':
      return `member "${error.params['missingProperty']}" is missing`;
    case 'type':
      return `expected ${article(String(error.params['type']))}, found ${shown}`;
    case 'pattern':
      return String(error.params['pattern']).includes('sha256')
        ? `expected sha256: and 64 lowercase hex digits, found ${shown}`
        : `expected a media type, found ${shown}`;
    case 'minimum':
    case 'maximum':
      return `expected a size between 0 and ${Number.MAX_SAFE_INTEGER} bytes, found ${shown}`;
    case 'const':
      return `expected ${JSON.stringify(error.params['allowedValue'])}, found ${shown}`;
    default:
      return `does not follow the schema, found ${shown}`;
  }
}

function article(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}
