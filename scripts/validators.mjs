/**
 * Compiles the image schemas into plain functions, so that no command pays for loading ajv and compiling schemas
 * (50 ms measured). `node scripts/validators.mjs` writes src/spec/schema-validators.ts; a test fails when it is stale.
 * Needs build/src/spec/image-schemas.js, that is: run the compiler first.
 */
import { writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { configSchema, descriptorSchema, indexSchema, manifestSchema } from '../build/src/spec/image-schemas.js';

/** The text of the generated module. */
export function validatorsModule() {
  const ajv = new Ajv({
    schemas: [descriptorSchema, manifestSchema, indexSchema, configSchema],
    allErrors: false,
    strict: true,
    inlineRefs: false,
    code: { source: true, esm: true, lines: false },
  });
  const code = standalone.default(ajv, {
    validateManifest: 'manifest',
    validateIndex: 'index',
    validateConfig: 'config',
  });
  return [
    '// @ts-nocheck',
    '// biome-ignore-all lint: generated',
    '// biome-ignore-all format: generated',
    '// biome-ignore-all assist: generated',
    '/** Made by scripts/validators.mjs from image-schemas.ts; do not edit. */',
    code.replace(/^"use strict";/, ''),
    '',
  ].join('\n');
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('../src/spec/schema-validators.ts', import.meta.url), validatorsModule());
}
