/**
 * What the BuildKit inside Docker 20.10 (frontend 1.2) and its client are older than. A case that uses such a feature
 * shows nothing when it is built there: it would fail, or come to something else, for that reason alone.
 */
import type { LanguageCase } from './language-case.ts';

interface Feature {
  readonly name: string;
  /** Matches the text of a Dockerfile that uses it. */
  readonly use: RegExp;
}

const FEATURES: readonly Feature[] = [
  { name: 'heredocs', use: /(?<!<)<<-?\s*["'\\]?[A-Za-z_$]/ },
  { name: 'flags of COPY and ADD', use: /\b(COPY|ADD)\b.*--(link|parents|exclude|checksum|unpack|keep-git-dir)\b/i },
  // It reads the flag and does nothing.
  { name: '--chmod', use: /\b(COPY|ADD)\b.*--chmod\b/i },
  { name: 'flags of RUN', use: /\bRUN\b.*--(network|security|device)\b/i },
  { name: 'secrets as variables', use: /--mount=\S*\benv=/ },
  { name: 'sizes of tmpfs mounts', use: /--mount=\S*\bsize=/ },
  { name: 'variables in mounts', use: /--mount=\S*\$/ },
  { name: 'git sources of ADD', use: /\bADD\b.*\.git\b/ },
  { name: 'HEALTHCHECK --start-interval', use: /--start-interval/ },
  { name: 'TARGETSTAGE', use: /TARGETSTAGE/ },
  { name: 'forms of expansion', use: /\$\{\w+(:\?|[-+?#%/])/ },
];

/** Flags of the client; the others the corpus knows are newer, or Buildah's. */
const FLAGS = ['--build-arg', '--label', '--secret', '--ssh', '--target'];

/** The name of a feature this BuildKit or its client does not know; undefined when it can know the whole case. */
export function newerFeature({ dockerfile, images, entries, flags }: LanguageCase): string | undefined {
  const inContext = entries.filter(({ path }) => path === 'Dockerfile').map(({ content }) => content);
  const texts = [dockerfile ?? '', ...images.map(({ text }) => text), ...inContext];
  const feature = FEATURES.find(({ use }) => texts.some((text) => use.test(text)));
  // Flags and their values take turns.
  return feature?.name ?? flags.find((word, i) => i % 2 === 0 && !FLAGS.includes(word));
}
