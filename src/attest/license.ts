/**
 * Licence names as packages state them, brought to SPDX expressions where that can be done without guessing. What
 * remains is kept word for word under a name of its own.
 *
 * @see SPDX 2.3, annex D; Debian policy, copyright format 1.0; Fedora "Good Licenses" of before 2022
 */
import parseExpression from 'spdx-expression-parse';
import { digestOf, hexOf } from '../spec/digest.ts';

export interface NamedLicense {
  /** A valid SPDX expression, which may be a `LicenseRef-` alone. */
  readonly expression: string;
  /** What was stated, when the expression is a `LicenseRef-` for it. */
  readonly extracted?: string;
}

/** Longer statements are licence texts, and no expression. */
const MAX_EXPRESSION = 1000;

/** Lower-case spellings that mean one licence and nothing else. */
const ALIASES: Readonly<Record<string, string>> = {
  'apache 2.0': 'Apache-2.0',
  'apache license 2.0': 'Apache-2.0',
  'apache license, version 2.0': 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  apache2: 'Apache-2.0',
  'asl 2.0': 'Apache-2.0',
  artistic: 'Artistic-1.0-Perl',
  'artistic 2.0': 'Artistic-2.0',
  'bsd-2-clause license': 'BSD-2-Clause',
  'bsd-3-clause license': 'BSD-3-Clause',
  'bsl-1': 'BSL-1.0',
  expat: 'MIT',
  'isc license (iscl)': 'ISC',
  'isc license': 'ISC',
  'mit license': 'MIT',
  'mozilla public license 2.0 (mpl 2.0)': 'MPL-2.0',
  'mplv2.0': 'MPL-2.0',
  'public domain': 'LicenseRef-Public-Domain',
  'public-domain': 'LicenseRef-Public-Domain',
  'python software foundation license': 'PSF-2.0',
  'the mit license (mit)': 'MIT',
  'the unlicense (unlicense)': 'Unlicense',
  'zope public license': 'ZPL-2.1',
};

/** `GPL-2+`, `LGPLv2.1`, `AGPL-3.0+`: Debian's and Fedora's names of the GNU licences. */
const GNU = /^(A?GPL|LGPL|GFDL)(?:-|v| v)?(\d(?:\.\d)?)(?:\.0)?(\+|-or-later|-only| or later)?$/i;

/** Brings one statement to SPDX. */
export function normalizeLicense(stated: string): NamedLicense {
  const text = stated.trim().replaceAll(/\s+/g, ' ');
  const expression = text.length <= MAX_EXPRESSION ? toExpression(text) : undefined;
  if (expression !== undefined) {
    return expression === 'LicenseRef-Public-Domain' ? { expression, extracted: text } : { expression };
  }
  return { expression: `LicenseRef-${idOf(text)}`, extracted: stated.trim() };
}

/** All statements about one package hold together. Undefined for none. */
export function joinExpressions(expressions: readonly string[]): string | undefined {
  const distinct = [...new Set(expressions)];
  if (distinct.length <= 1) return distinct[0];
  return distinct.map((one) => (/ (?:OR|AND) /.test(one) ? `(${one})` : one)).join(' AND ');
}

/** Whether the text is one licence of the SPDX list, not an expression of several. */
export function isSingleLicense(expression: string): boolean {
  return /^[A-Za-z0-9.-]+$/.test(expression) && !expression.startsWith('LicenseRef-') && isExpression(expression);
}

function toExpression(text: string): string | undefined {
  const gnu = gnuLicense(text);
  if (gnu !== undefined || isExpression(text)) return gnu ?? text;
  const parts = text.split(/ (and|or) /i);
  const words = parts.map((part, i) => (i % 2 === 1 ? part.toUpperCase() : oneLicense(part)));
  return words.includes(undefined) ? undefined : asExpression(words.join(' '));
}

function oneLicense(part: string): string | undefined {
  // Fedora puts alternatives into parentheses, which go on beyond this part.
  const [, open = '', name = '', close = ''] = /^(\(*)(.*?)(\)*)$/.exec(part) ?? [];
  const license = Object.hasOwn(ALIASES, name.toLowerCase())
    ? ALIASES[name.toLowerCase()]
    : (gnuLicense(name) ?? asExpression(name));
  return license === undefined ? undefined : `${open}${license}${close}`;
}

function gnuLicense(name: string): string | undefined {
  const match = GNU.exec(name);
  if (match === null) return undefined;
  const [, family = '', version = '', later] = match;
  const number = version.includes('.') ? version : `${version}.${family.toUpperCase() === 'GFDL' ? '1' : '0'}`;
  const isLater = later !== undefined && later.toLowerCase() !== '-only';
  return asExpression(`${family.toUpperCase()}-${number}-${isLater ? 'or-later' : 'only'}`);
}

function asExpression(text: string): string | undefined {
  return isExpression(text) ? text : undefined;
}

function isExpression(text: string): boolean {
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}

/** Readable where the statement is short, never the same for two statements. */
function idOf(text: string): string {
  const plain = text.replaceAll(/[^A-Za-z0-9.]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return plain === text && plain !== ''
    ? plain
    : `${plain.slice(0, 40)}-${hexOf(digestOf(text)).slice(0, 12)}`.replace(/^-/, '');
}
