/** `Name: value` paragraphs, as Debian control files, Python metadata and mail headers have them. @see RFC 822, deb822(5) */

/** One paragraph; names in lower case, the first of equal names wins, further lines joined with line feeds. */
export type Fields = ReadonlyMap<string, string>;

/** All paragraphs of a text, parted by empty lines. Lines that are no field and continue none are passed over. */
export function parseParagraphs(text: string): Fields[] {
  return text.split(/\r?\n(?:[ \t]*\r?\n)+/).flatMap((paragraph) => {
    const fields = parseFields(paragraph);
    return fields.size === 0 ? [] : [fields];
  });
}

/** The first paragraph alone. */
export function parseHeader(text: string): Fields {
  const end = text.search(/\r?\n[ \t]*\r?\n/);
  return parseFields(end === -1 ? text : text.slice(0, end));
}

/** Every value of a name in a header, in order: `Classifier` comes many times. */
export function allValues(text: string, name: string): string[] {
  const end = text.search(/\r?\n[ \t]*\r?\n/);
  const prefix = `${name.toLowerCase()}:`;
  return (end === -1 ? text : text.slice(0, end))
    .split(/\r?\n/)
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

function parseFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of paragraph.split(/\r?\n/)) {
    if (/^[ \t]/.test(line)) {
      if (current !== undefined) fields.set(current, `${fields.get(current)}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    current = fields.has(name) ? undefined : name;
    if (current !== undefined) fields.set(name, line.slice(colon + 1).trim());
  }
  return fields;
}
