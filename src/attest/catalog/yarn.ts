/** yarn.lock, of Yarn 1 and of the later ones, whose form is YAML. The file is generated, so lines are all there is to read. */
import { type Cataloger, endsWith, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { npmPurl } from '../purl.ts';
import { digestsOf } from '../subresource-integrity.ts';

export const yarn: Cataloger = {
  name: 'yarn.lock',
  evidence: 'declared',
  matches: endsWith('yarn.lock'),
  maxBytes: MAX_BYTES.lock,
  read: (file) => parseYarnLock(file.text()),
};

/** A block is a line of descriptors that ends with a colon, and indented lines: `version "1.2.3"`, `version: 1.2.3`. */
function parseYarnLock(text: string): FoundPackage[] {
  const found: FoundPackage[] = [];
  for (const block of text.split(/\n(?=\S)/)) {
    const [head = '', ...lines] = block.split('\n');
    if (head.startsWith('#') || !head.trimEnd().endsWith(':') || head.startsWith('__metadata')) continue;
    const fields = new Map<string, string>();
    for (const line of lines) {
      const match = /^ {2}([a-z]+):? "?([^"]*?)"?\s*$/i.exec(line);
      if (match !== null && !fields.has(match[1]!)) fields.set(match[1]!, match[2]!);
    }
    const resolution = fields.get('resolution');
    // What lies in the project itself is not fetched from anywhere.
    if (resolution !== undefined && /@(?:workspace|link|portal|virtual):/.test(resolution)) continue;
    const name = nameOf(resolution ?? head);
    const version = fields.get('version');
    if (name === undefined || version === undefined || version === '') continue;
    found.push({ purl: npmPurl(name, version), name, version, ...digestsOf(fields.get('integrity')) });
  }
  return found;
}

/** `"@scope/name@^1.0.0", "…":` and `alias@npm:name@^1.0.0:` name the package. */
function nameOf(descriptor: string): string | undefined {
  const alias = /@npm:(@[^/@\s"]+\/[^@\s",:]+|[^@/\s",:]+)@/.exec(descriptor);
  const plain = /^"?(@[^/@\s"]+\/[^@\s",:]+|[^@/\s",:]+)@/.exec(descriptor);
  return alias?.[1] ?? plain?.[1];
}
