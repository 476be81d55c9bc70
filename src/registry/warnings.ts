/**
 * What a registry has to say beside its answers: `Warning: 299 - "text"`.
 * @see OCI distribution-spec 1.1, "Warnings"
 */
import type { Emit } from '../report/event.ts';
import { printable } from './registry-error.ts';

/** The longest text the specification allows, and how many of one answer are read. */
const MAX_TEXT = 4096;
const MAX_WARNINGS = 10;

/** Of the code 299 alone, whose agent is `-`: others are of caches and proxies on the way. */
const WARNING = /(?:^|,)\s*299 - "((?:[^"\\]|\\.)*)"/g;

const shown = new WeakMap<Emit, Set<string>>();

/** The texts of a `Warning` header, of several joined by commas as well. */
export function parseWarnings(header: string | undefined): readonly string[] {
  if (header === undefined || header.length > MAX_WARNINGS * MAX_TEXT) return [];
  return [...header.matchAll(WARNING)].slice(0, MAX_WARNINGS).map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

/** Tells each warning once to whoever listens, however many answers carry it. */
export function tellWarnings(registry: string, header: string | undefined, emit: Emit | undefined): void {
  if (emit === undefined) return;
  for (const warning of parseWarnings(header)) {
    const text = `registry ${registry} says: ${printable(warning)}`;
    const known = shown.get(emit) ?? new Set();
    shown.set(emit, known);
    if (known.has(text)) continue;
    known.add(text);
    emit({ type: 'warning', text });
  }
}
