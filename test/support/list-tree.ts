/** Program: prints what a directory holds as JSON. Run inside a builder's user namespace by the rig. */
import { writeSync } from 'node:fs';
import { listTree } from './tree-listing.ts';

const folder = process.argv[2];
if (folder === undefined || folder === '') {
  console.error('usage: list-tree DIRECTORY');
  process.exit(2);
}
const text = Buffer.from(JSON.stringify(listTree(folder)));
for (let offset = 0; offset < text.length; ) offset += writeSync(1, text, offset);
