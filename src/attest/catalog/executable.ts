/** What executables say of themselves: Go's build information, and the list that `cargo auditable` adds to Rust's. */
import { inflateSync } from 'node:zlib';
import { type ByteSource, readExactly } from '../byte-source.ts';
import { type Cataloger, type FoundPackage, MAX_BYTES } from '../cataloger.ts';
import { type ElfFile, readElf } from '../elf.ts';
import { goModules } from '../go-build-info.ts';
import { asArray, asText, member } from '../json-shape.ts';
import { formatPurl } from '../purl.ts';

const ANY_EXECUTE = 0o111;
const RUST_SECTION = '.dep-v0';

export const executable: Cataloger = {
  name: 'executable',
  evidence: 'installed',
  matches: (path, mode) => !/\.(?:sh|py|pl|rb|js|so(?:\.[\d.]*)?)$/.test(path) && (mode() & ANY_EXECUTE) !== 0,
  maxBytes: MAX_BYTES.description,
  read: (file) => {
    const elf = readElf(file.source);
    return elf === undefined ? [] : [...goModules(file.source, elf), ...rustCrates(file.source, elf)];
  },
};

/** Zlib-compressed JSON; crates of kind `build` left no code in the executable. @see rust-secure-code/cargo-auditable, PARSING.md */
function rustCrates(file: ByteSource, elf: ElfFile): FoundPackage[] {
  const section = elf.sections.find(({ name }) => name === RUST_SECTION);
  if (section === undefined) return [];
  const packed = readExactly(file, section.offset, Math.min(section.size, MAX_BYTES.description));
  const list: unknown = JSON.parse(inflateSync(packed, { maxOutputLength: MAX_BYTES.lock }).toString('utf8'));
  return asArray(member(list, 'packages')).flatMap((entry) => {
    const name = asText(member(entry, 'name'));
    const version = asText(member(entry, 'version'));
    if (name === undefined || version === undefined || member(entry, 'kind') === 'build') return [];
    return [{ purl: formatPurl({ type: 'cargo', name, version }), name, version }];
  });
}
