/** Strict, typed reading of a policy file; every complaint names file, line and key, and points there. */
import { BuilderError } from '../report/builder-error.ts';
import { positionOf, type SourceFile } from '../report/source-file.ts';
import { formatJsonPath, type JsonPath, placeInJson } from '../spec/json-place.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../spec/strict-json.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The error for something in the file. @param path where; the longest part of it that exists is pointed at */
export function policyError(file: SourceFile, path: JsonPath, why: string): BuilderError {
  const place = placeInJson(file.text, path);
  const { line } = positionOf(file, place.start);
  const key = formatJsonPath(path);
  return new BuilderError(
    'trust.invalid',
    `the signature policy ${file.name}:${line} cannot be used: ${key === '' ? '' : `key ${key}: `}${why}`,
    { span: { file, ...place }, facts: { file: file.name, line, ...(key === '' ? {} : { key }) } },
  );
}

/** An object of the file. Keys that nothing reads are errors: `end` finds them. */
export class PolicyObject {
  readonly file: SourceFile;
  readonly path: JsonPath;
  readonly #object: JsonObject;
  readonly #read = new Set<string>();

  constructor(file: SourceFile, path: JsonPath, value: JsonValue | undefined) {
    this.file = file;
    this.path = path;
    if (!isJsonObject(value)) throw policyError(file, path, 'expected an object');
    this.#object = value;
  }

  fail(key: string, why: string): never {
    throw policyError(this.file, [...this.path, key], why);
  }

  keys(): readonly string[] {
    return Object.keys(this.#object);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#object, key);
  }

  value(key: string): JsonValue | undefined {
    this.#read.add(key);
    return this.has(key) ? this.#object[key] : undefined;
  }

  required(key: string): JsonValue {
    return this.value(key) ?? this.fail(key, 'it is missing');
  }

  object(key: string): PolicyObject {
    return new PolicyObject(this.file, [...this.path, key], this.required(key));
  }

  list(key: string): readonly JsonValue[] {
    const value = this.required(key);
    return Array.isArray(value) ? value : this.fail(key, 'expected a list');
  }

  text(key: string): string {
    const value = this.required(key);
    return typeof value === 'string' && value !== '' ? value : this.fail(key, 'expected a string that is not empty');
  }

  texts(key: string): readonly string[] {
    const list = this.list(key);
    if (list.length > 0 && list.every((value) => typeof value === 'string' && value !== '')) return list as string[];
    return this.fail(key, 'expected a list of strings that is not empty');
  }

  data(key: string): Uint8Array {
    return this.#decoded(key, this.text(key));
  }

  datas(key: string): readonly Uint8Array[] {
    return this.texts(key).map((text) => this.#decoded(key, text));
  }

  #decoded(key: string, text: string): Uint8Array {
    return BASE64.test(text) ? Buffer.from(text, 'base64') : this.fail(key, 'expected base64');
  }

  /** @throws for a key nobody asked for */
  end(): void {
    const stranger = this.keys().find((key) => !this.#read.has(key));
    if (stranger !== undefined) this.fail(stranger, 'it is not known');
  }
}
