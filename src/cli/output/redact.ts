/**
 * The one place where credentials are taken out of what people and programs read. Every error, warning, note and live
 * line passes through here. What a build's own commands print does not: it is theirs.
 */

/** Keeps or loses the length of what it covers. */
type Mask = (secret: string) => string;

interface Rule {
  readonly pattern: RegExp;
  readonly replace: (mask: Mask, groups: readonly string[]) => string;
}

/** The words `Bearer` and `Basic` are also followed by ordinary ones. */
const looksRandom = (token: string): boolean => /\d|=|[a-z][A-Z]/.test(token);

const RULES: readonly Rule[] = [
  {
    // scheme://user:password@host and scheme://token@host
    pattern: /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#"'`<>]+)@/gi,
    replace: (mask, [, scheme, user]) => `${scheme}${mask(user!)}@`,
  },
  {
    pattern: /\b(authorization["']?\s*[:=]\s*["']?)([^\s"',]+)(\s+[^\s"',]+)?/gi,
    replace: (mask, [, head, kind, token]) =>
      token === undefined ? `${head}${mask(kind!)}` : `${head}${kind} ${mask(token.trimStart())}`,
  },
  {
    pattern: /\b(bearer|basic)(\s+)([a-z0-9+/._~-]{8,}=*)/gi,
    replace: (mask, [all, kind, gap, token]) => (looksRandom(token!) ? `${kind}${gap}${mask(token!)}` : all!),
  },
  {
    // The query of a signed URL.
    pattern: /([?&][\w.-]*(?:token|signature|sig|password|secret|credential|key|auth)=)([^\s&#"'`<>]+)/gi,
    replace: (mask, [, name, value]) => `${name}${mask(value!)}`,
  },
  {
    // NPM_TOKEN=…, --password=…; a variable's name in the value tells nothing.
    pattern:
      /((?:\b|_)(?:token|password|passwd|api_?key|secret_?(?:access_?)?key)=)("[^"$]+"|'[^'$]+'|[^\s"'&;,$]{4,})/gi,
    replace: (mask, [, name, value]) => {
      const quote = /^["']/.exec(value!)?.[0] ?? '';
      return `${name}${quote}${mask(value!.slice(quote.length, value!.length - quote.length))}${quote}`;
    },
  },
  {
    // JSON web tokens, and tokens of well-known services.
    pattern:
      /\b(?:eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|dckr_pat_[\w-]{16,}|npm_\w{30,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}\b)/g,
    replace: (mask, [all]) => mask(all!),
  },
];

/** The text with user-info of URLs, tokens and passwords as `***`. */
export function redact(text: string): string {
  return masked(text, () => '***');
}

/** As `redact`, with as many asterisks as there were UTF-16 units: columns under a source line stay true. */
export function redactInPlace(text: string): string {
  return masked(text, (secret) => '*'.repeat(secret.length));
}

/** Every string in a value of JSON's kinds, redacted. */
export function redactAll(value: unknown): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map(redactAll);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, redactAll(member)]));
}

function masked(text: string, mask: Mask): string {
  return RULES.reduce(
    (said, { pattern, replace }) => said.replace(pattern, (...groups) => replace(mask, groups as string[])),
    text,
  );
}
