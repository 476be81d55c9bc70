/** Writes the manual pages into man/, where package.json tells npm to find them. Needs build/: run the compiler first. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { manPages } from '../build/src/cli/man-page.js';
import { releaseVersion } from '../build/src/cli/release.js';

const folder = new URL('../man/', import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const { file, text } of manPages(releaseVersion())) writeFileSync(new URL(file, folder), text);
