// Starts the program from its one file and the code cache beside it. Plain old syntax: this is also where a node that
// is too old learns so.
'use strict';
const version = process.versions.node.split('.').map(Number);
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write(`Error: slipway needs node 20.19 or newer, this is ${process.versions.node}\n`);
  process.exit(125);
}
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const filename = path.join(__dirname, 'program.cjs');
const cacheName = `${filename}.cache`;
let cachedData;
try {
  cachedData = fs.readFileSync(cacheName);
} catch {
  // Made at build time, for one version of node; without it the program compiles itself.
}
// The bundle is plain ASCII, and a one-byte string is made without decoding.
const script = new vm.Script(Module.wrap(fs.readFileSync(filename, 'latin1')), {
  filename,
  cachedData,
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
if (process.env.SLIPWAY_WRITE_CODE_CACHE === '1') {
  process.on('exit', () => fs.writeFileSync(cacheName, script.createCachedData()));
}
const program = { exports: {} };
script.runInThisContext()(program.exports, Module.createRequire(filename), program, filename, __dirname);
