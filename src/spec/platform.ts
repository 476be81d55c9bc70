/** Platforms as the OCI index names them, their normal form, and matching. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  /** Of the processor, in Docker's lists. */
  readonly features?: readonly string[];
}

const ARCH_ALIASES: Readonly<Record<string, { architecture: string; variant?: string }>> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  x64: { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  i386: { architecture: '386' },
  i686: { architecture: '386' },
  ia32: { architecture: '386' },
  ppc64el: { architecture: 'ppc64le' },
};

/** Go's name for an architecture as Node, uname or a person spells it. */
export function goArchitecture(name: string): string {
  return ARCH_ALIASES[name]?.architecture ?? name;
}

/** Normal form: `arm64/v8` and `amd64/v1` lose their variant, bare `arm` gains `v7`, aliases become Go names. */
export function normalizePlatform(p: Platform): Platform {
  const os = (p.os === 'macos' ? 'darwin' : p.os).toLowerCase();
  const alias = ARCH_ALIASES[p.architecture.toLowerCase()];
  const architecture = alias?.architecture ?? p.architecture.toLowerCase();
  let variant = p.variant?.toLowerCase() ?? alias?.variant;
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm') {
    if (variant === undefined || variant === '7') variant = 'v7';
    else if (/^[5-8]$/.test(variant)) variant = `v${variant}`;
  }
  return {
    os,
    architecture,
    ...(variant === undefined || variant === '' ? {} : { variant }),
    ...(p['os.version'] === undefined ? {} : { 'os.version': p['os.version'] }),
    ...(p['os.features'] === undefined ? {} : { 'os.features': p['os.features'] }),
  };
}

/** What of a platform tells builds apart, in normal form: versions and features of systems do not. */
export function buildPlatform({ os, architecture, variant }: Platform): Platform {
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** Parses `os/arch[/variant]` or `arch`, normalised; undefined when the text has another shape. */
export function parsePlatform(text: string, defaultOs = 'linux'): Platform | undefined {
  const parts = text.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) return undefined;
  if (parts.length === 1) return normalizePlatform({ os: defaultOs, architecture: parts[0]! });
  const [os, architecture, variant] = parts;
  return normalizePlatform({ os: os!, architecture: architecture!, ...(variant === undefined ? {} : { variant }) });
}

/** `os/arch[/variant]`. */
export function formatPlatform(p: Platform): string {
  return p.variant === undefined || p.variant === ''
    ? `${p.os}/${p.architecture}`
    : `${p.os}/${p.architecture}/${p.variant}`;
}

/** How well `have` serves a wish for `want`: higher is better, undefined means it does not run there. */
export function platformScore(want: Platform, have: Platform): number | undefined {
  const w = normalizePlatform(want);
  const h = normalizePlatform(have);
  if (w.os !== h.os || w.architecture !== h.architecture) return undefined;
  if ((w.variant ?? '') === (h.variant ?? '')) return 100;
  // A wish for arm/v7 is also served by v6 and v5 binaries, newest first; the other way round is not.
  if (w.architecture === 'arm') {
    const wanted = Number(w.variant?.slice(1));
    const offered = Number(h.variant?.slice(1));
    return offered < wanted ? 50 + offered : undefined;
  }
  // An entry without a variant is the baseline of its architecture.
  if (h.variant === undefined) return 40;
  if (w.variant === undefined) return 10;
  return undefined;
}

/** The platform of the machine this process runs on. */
export function hostPlatform(arch: string = process.arch): Platform {
  return normalizePlatform({ os: 'linux', architecture: arch === 'arm' ? 'arm' : goArchitecture(arch) });
}
