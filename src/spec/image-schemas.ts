/**
 * JSON Schemas of the documents an image consists of, OCI and Docker alike: the families share their fields. Unknown
 * members are allowed, as both specifications ask. Compiled by ajv into `schema-validators.ts`.
 *
 * @see OCI image-spec 1.1: descriptor.md, manifest.md, image-index.md, config.md
 */

/** The part of JSON Schema used here. */
export interface Schema {
  readonly $id?: string;
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
}

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const texts: Schema = { type: 'array', items: text };
const textMap: Schema = { type: 'object', additionalProperties: text };
/** Only members count: Go writes sets as maps to empty structs. */
const set: Schema = { type: 'object', additionalProperties: { type: 'object' } };
const count: Schema = { type: 'integer' };
const digest: Schema = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' };
/** Larger numbers lose digits in JavaScript, and no blob is that large. */
const size: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const mediaType: Schema = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$',
};
const version: Schema = { const: 2 };

const platform: Schema = {
  type: 'object',
  required: ['os', 'architecture'],
  properties: { os: text, architecture: text, variant: text, 'os.version': text, 'os.features': texts },
};

export const descriptorSchema: Schema = {
  $id: 'descriptor',
  type: 'object',
  required: ['mediaType', 'digest', 'size'],
  properties: {
    mediaType,
    digest,
    size,
    platform,
    annotations: textMap,
    artifactType: text,
    urls: texts,
    data: text,
  },
};

const descriptor: Schema = { $ref: 'descriptor' };

export const manifestSchema: Schema = {
  $id: 'manifest',
  type: 'object',
  required: ['schemaVersion', 'config', 'layers'],
  properties: {
    schemaVersion: version,
    mediaType: text,
    artifactType: text,
    config: descriptor,
    layers: { type: 'array', items: descriptor },
    subject: descriptor,
    annotations: textMap,
  },
};

export const indexSchema: Schema = {
  $id: 'index',
  type: 'object',
  required: ['schemaVersion', 'manifests'],
  properties: {
    schemaVersion: version,
    mediaType: text,
    artifactType: text,
    manifests: { type: 'array', items: descriptor },
    subject: descriptor,
    annotations: textMap,
  },
};

const health: Schema = {
  type: 'object',
  properties: {
    Test: texts,
    Interval: count,
    Timeout: count,
    StartPeriod: count,
    StartInterval: count,
    Retries: count,
  },
};

const containerConfig: Schema = {
  type: 'object',
  properties: {
    User: text,
    ExposedPorts: set,
    Env: texts,
    Entrypoint: texts,
    Cmd: texts,
    Volumes: set,
    WorkingDir: text,
    Labels: textMap,
    StopSignal: text,
    Hostname: text,
    Domainname: text,
    Healthcheck: health,
    OnBuild: texts,
    Shell: texts,
    ArgsEscaped: flag,
  },
};

const historyEntry: Schema = {
  type: 'object',
  properties: { created: text, author: text, created_by: text, comment: text, empty_layer: flag },
};

export const configSchema: Schema = {
  $id: 'config',
  type: 'object',
  required: ['os', 'architecture', 'rootfs'],
  properties: {
    created: text,
    author: text,
    architecture: text,
    variant: text,
    os: text,
    'os.version': text,
    'os.features': texts,
    config: containerConfig,
    rootfs: {
      type: 'object',
      required: ['type', 'diff_ids'],
      properties: { type: { const: 'layers' }, diff_ids: { type: 'array', items: digest } },
    },
    history: { type: 'array', items: historyEntry },
    comment: text,
  },
};
