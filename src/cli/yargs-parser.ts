/**
 * The parser of yargs alone. `yargs/helpers` exports it too, but pulls in tables for laying out help texts, which cost
 * every command with a flag 36 ms even in the bundle; this costs 14 (measured on the same busy machine).
 */
export { default as Parser } from 'yargs-parser';
