/**
 * JSON from outside, read so that no other reader can see another document in the same bytes: JavaScript takes the
 * last of two equal keys and tells `Layers` from `layers`, Go does neither, and a signature or digest covers only bytes.
 */
import { BuilderError } from '../report/builder-error.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export interface JsonLimits {
  /** bytes */
  readonly maxBytes: number;
  /** nested arrays and objects */
  readonly maxDepth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses `raw`; `what` names it in errors.
 * @throws `manifest.invalid` when it is too large, too deep, no JSON, or an object has the same key twice; `facts.offset`
 *   is then where the second one begins
 */
export function parseStrictJson(raw: Uint8Array, what: string, limits: JsonLimits): JsonValue {
  if (raw.length > limits.maxBytes) {
    throw new BuilderError(
      'manifest.invalid',
      `${what} is refused: ${raw.length} bytes are more than the limit of ${limits.maxBytes}`,
    );
  }
  // A byte order mark is no JSON; kept, it makes the parser say so.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(raw);
  // Depth first: the scan is a loop and cannot exhaust the stack, whatever the text is.
  scanKeys(text, what, limits.maxDepth);
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new BuilderError('manifest.invalid', `${what} is not JSON`, { cause });
  }
}

/** Walks the tokens once, checking depth and key uniqueness. Broken syntax is left to the parser that follows. */
function scanKeys(text: string, what: string, maxDepth: number): void {
  const open: (Set<string> | undefined)[] = [];
  let i = 0;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      if (keys !== undefined && isFollowedByColon(text, end)) {
        const key = keyText(text.slice(i, end));
        if (keys.has(key)) {
          throw new BuilderError('manifest.invalid', `${what} is refused: key ${JSON.stringify(key)} appears twice`, {
            facts: { offset: i },
          });
        }
        keys.add(key);
      }
      i = end;
      continue;
    }
    if (code === 0x7b || code === 0x5b) {
      if (open.length === maxDepth) {
        throw new BuilderError('manifest.invalid', `${what} is refused: it is nested more than ${maxDepth} deep`);
      }
      open.push(code === 0x7b ? new Set() : undefined);
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
    }
    i += 1;
  }
}

/** Offset after the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i += 1;
    else if (code === QUOTE) return i + 1;
  }
  return text.length;
}

function isFollowedByColon(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return true;
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return false;
  }
  return false;
}

/** Escapes count: `"layers"` is the key `layers`. */
function keyText(token: string): string {
  if (!token.includes('\\')) return token.slice(1, -1);
  try {
    return JSON.parse(token) as string;
  } catch {
    return token;
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
