// Loaded before the program: an older node would fail on its syntax with a message nobody understands.
'use strict';
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`Error: slipway needs node 20.19 or newer, this is ${process.versions.node}\n`);
  process.exit(125);
}
