/**
 * The parser of yargs alone. `yargs/helpers` exports it too, but pulls in tables for laying out help texts, which cost
 * every command with a flag 20 ms even in the bundle; this costs 3.
 */
export { default as Parser } from 'yargs-parser';
