/** Small files of the formats that hold packages, made by hand. */
import { deflateRawSync } from 'node:zlib';

/** A 64-bit little-endian ELF file of nothing but these sections. */
export function elfFile(sections: Readonly<Record<string, Buffer>>): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${Object.keys(sections).join('\0')}\0`);
  const contents: Buffer[] = [];
  const table: Buffer[] = [Buffer.alloc(64)];
  let at = 64;
  for (const [name, bytes] of [...Object.entries(sections), ['.shstrtab', names] as const]) {
    const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 15)]);
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, 0);
    entry.writeUInt32LE(1, 4);
    entry.writeBigUInt64LE(BigInt(at), 24);
    entry.writeBigUInt64LE(BigInt(bytes.length), 32);
    contents.push(padded);
    table.push(entry);
    at += padded.length;
  }
  const head = Buffer.alloc(64);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeBigUInt64LE(BigInt(at), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(table.length, 60);
  head.writeUInt16LE(table.length - 1, 62);
  return Buffer.concat([head, ...contents, ...table]);
}

/** A zip archive: text is deflated, bytes are stored. Checksums are left out, which no reader here looks at. */
export function zipFile(members: Readonly<Record<string, string | Buffer>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(members)) {
    const bytes = Buffer.from(content as string);
    const packed = typeof content === 'string' ? deflateRawSync(bytes) : bytes;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(typeof content === 'string' ? 8 : 0, 4);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, Buffer.from(name));
    locals.push(local);
    at += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(locals.length, 8);
  end.writeUInt16LE(locals.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, list, end]);
}
