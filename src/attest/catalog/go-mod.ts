/** Go: go.mod and, for the checksums, go.sum beside it. @see go.dev/ref/mod */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { goPackage } from '../go-module.ts';

export const goMod: Cataloger = {
  name: 'go.mod',
  evidence: 'declared',
  matches: endsWith('go.mod'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => parseGoMod(file.text()),
};

/** Required modules after replacements; a replacement by a directory takes the module out. */
function parseGoMod(text: string): FoundPackage[] {
  const directives = [...directivesOf(text)];
  const replaced = new Map(
    directives.flatMap(({ verb, words }) => {
      const arrow = words.indexOf('=>');
      return verb === 'replace' && arrow > 0
        ? [[words.slice(0, arrow).join(' '), words.slice(arrow + 1)] as const]
        : [];
    }),
  );
  return directives.flatMap(({ verb, words: [module, version] }) => {
    if (verb !== 'require' || module === undefined || version === undefined) return [];
    const [path, other] = replaced.get(`${module} ${version}`) ?? replaced.get(module) ?? [module, version];
    return path === undefined || other === undefined ? [] : [goPackage(path, other)];
  });
}

/** Lines as `verb words…`; those of a block `verb ( … )` belong to its verb. */
function* directivesOf(text: string): Generator<{ readonly verb: string; readonly words: readonly string[] }> {
  let block: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const words = line
      .replace(/\/\/.*$/, '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => word.replaceAll(/^["`]|["`]$/g, ''));
    const [first, second] = words;
    if (first === undefined) continue;
    if (block !== undefined) {
      if (first === ')') block = undefined;
      else yield { verb: block, words };
    } else if (second === '(') block = first;
    else yield { verb: first, words: words.slice(1) };
  }
}
