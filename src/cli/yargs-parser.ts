/** The parser of yargs alone: imported by name, so that the bundle leaves the rest of yargs out. */
export { Parser } from 'yargs/helpers';
