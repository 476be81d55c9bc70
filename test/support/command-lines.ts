/**
 * Scripts of command lines (`test/corpus/cli/`) for Slipway and for a Buildah: each tool with a store, a context and a
 * scratch folder of its own, outputs made comparable.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CommandLine {
  /** As it stands in the file. */
  readonly text: string;
  readonly kind: 'both' | 'shell' | 'only';
  /** What follows the marker of the kind. */
  readonly words: string;
  /** Lines that an `only` line must print; empty when any will do. */
  readonly prints: readonly string[];
}

/** The lines of a file; see `about.md` beside them. */
export function readCommandLines(file: string): readonly CommandLine[] {
  const lines: (CommandLine & { prints: string[] })[] = [];
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '' || text.startsWith('#')) continue;
    if (text.startsWith('| ')) {
      lines.at(-1)!.prints.push(text.slice(2));
      continue;
    }
    const [, marker, words] = /^(\$ |only )?(.*)$/.exec(text)!;
    lines.push({
      text,
      kind: marker === '$ ' ? 'shell' : marker === 'only ' ? 'only' : 'both',
      words: words!,
      prints: [],
    });
  }
  return lines;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DOCKERFILES: Readonly<Record<string, string>> = {
  Dockerfile: 'FROM scratch\nCOPY bin /bin\nCMD ["/bin/sh"]\n',
  'two/Dockerfile': 'FROM bb\nCOPY b /b\nENV TWO=2\n',
  Failing: 'FROM bb\nRUN echo out; echo err >&2\nRUN exit 42\n',
  Killed: 'FROM bb\nRUN kill -9 $$\n',
  Stages: 'FROM bb AS one\nRUN echo out\nFROM bb\nCOPY --from=one /bin/sh /x\n',
  Unused: 'FROM bb AS unused\nRUN echo unused\nFROM bb\nRUN echo used\n',
  Args: 'ARG A=none\nFROM bb\nARG A\nARG B=two\nLABEL a=$A b=$B\nRUN echo $A $B\n',
  Docker: 'FROM bb\nHEALTHCHECK --interval=5s CMD true\nSHELL ["/bin/sh","-c"]\nONBUILD RUN true\n',
  Hosts: 'FROM bb\nRUN /bin/busybox grep 1.2.3.4 /etc/hosts || echo none\n',
  Caps: 'FROM bb\nRUN /bin/busybox grep CapEff /proc/self/status\n',
  Volume: 'FROM bb\nRUN /bin/busybox ls /v\n',
  Secret: 'FROM bb\nRUN --mount=type=secret,id=s /bin/busybox cat /run/secrets/s || echo none\n',
  Context: 'FROM bb\nCOPY --from=ctx2 b /fromcontext\nRUN /bin/busybox ls /fromcontext\n',
  All: 'FROM bb\nCOPY two /all\nRUN /bin/busybox ls /all\n',
  Ulimit: 'FROM bb\nRUN ulimit -n; ulimit -Hn\n',
  Mount: 'FROM bb\nRUN /bin/busybox ls /mnt/b\n',
  Lab: 'FROM lab\nRUN true\n',
  More: 'ENV MORE=1\n',
  Empty: '',
  Syntax: 'FROM bb\nCOYP a b\n',
  NoFrom: 'RUN true\n',
  Missing: 'FROM bb\nCOPY nosuchfile /x\n',
};

const FILES: Readonly<Record<string, string>> = {
  'two/a.txt': 'a\n',
  'two/b': 'b\n',
  ignore: '**/*.txt\nbin\n*.tar\n',
  args: '# values\nA=fromfile\n',
  secret: 'hush\n',
  'auth.json': '{}\n',
  'config.json': '{}\n',
  'policy.json': '{ "default": [{ "type": "insecureAcceptAnything" }] }\n',
};

/** A tool with a store and a folder of its own. */
export class CommandLineTool implements Disposable {
  readonly #program: string;
  readonly #folder: string;
  readonly #registry: string;

  /** @param registry host and port in the place of `REG` */
  constructor(program: string, registry: string, busybox: string) {
    this.#program = program;
    this.#registry = registry;
    // Lower case: Buildah 1.28 makes the name of a pulled layout from its path.
    this.#folder = mkdtempSync(join(tmpdir(), 'slipway-like-')).toLowerCase();
    mkdirSync(join(this.#folder, 'ctx/bin'), { recursive: true });
    mkdirSync(join(this.#folder, 'ctx/two'), { recursive: true });
    mkdirSync(join(this.#folder, 'home'));
    copyFileSync(busybox, join(this.#folder, 'ctx/bin/busybox'));
    for (const [name, text] of Object.entries({ ...DOCKERFILES, ...FILES })) {
      writeFileSync(join(this.#folder, 'ctx', name), text);
    }
    symlinkSync('busybox', join(this.#folder, 'ctx/bin/sh'));
    symlinkSync('Dockerfile', join(this.#folder, 'ctx/link'));
    spawnSync('tar', ['-cf', 'a.tar', '--mtime=@1', '--owner=0', '--group=0', 'two'], {
      cwd: join(this.#folder, 'ctx'),
    });
  }

  async run(line: CommandLine): Promise<Outcome> {
    const text = this.#filled(line.words);
    if (line.kind === 'shell') return this.#spawn('/bin/sh', ['-c', text]);
    const words = [...text.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    return this.#spawn(this.#program, [...this.#globals, ...words]);
  }

  [Symbol.dispose](): void {
    spawnSync(this.#program, [...this.#globals, 'umount', '--all']);
    // Buildah leaves mounts there.
    spawnSync('umount', ['--recursive', '--lazy', join(this.#folder, 'root/overlay')]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #globals(): readonly string[] {
    const place = (name: string): string => join(this.#folder, name);
    return ['--root', place('root'), '--runroot', place('run'), '--storage-driver', 'overlay'];
  }

  #filled(text: string): string {
    return text
      .replaceAll('CTX', join(this.#folder, 'ctx'))
      .replaceAll('TMP', this.#folder)
      .replaceAll('REG', this.#registry);
  }

  #spawn(program: string, words: readonly string[]): Promise<Outcome> {
    const env = {
      PATH: process.env['PATH'],
      HOME: join(this.#folder, 'home'),
      XDG_RUNTIME_DIR: join(this.#folder, 'home'),
      REGISTRY_AUTH_FILE: '',
      BUILDAH_ISOLATION: 'chroot',
      SLIPWAY_TEST_A: '1',
      S: [this.#program, ...this.#globals].join(' '),
    };
    return new Promise((resolve, reject) => {
      const child = spawn(program, words, { env, cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
      const texts = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].setEncoding('utf8').on('data', (text: string) => {
          texts[stream] += text;
        });
      }
      child.on('error', reject);
      child.on('close', (code) => {
        const plain = (text: string) => comparable(text, this.#folder, this.#registry);
        resolve({ code: code ?? -1, stdout: plain(texts.stdout), stderr: plain(withoutHelp(texts.stderr)) });
      });
    });
  }
}

/** Help is Slipway's to add; the error itself is compared. */
function withoutHelp(text: string): string {
  return text.replace(/^help: .*\n(?: {6}.*\n)*/gm, '');
}

/** What differs by nature: ids, digests, places, ages, the tool's own name and version. */
function comparable(text: string, folder: string, registry: string): string {
  return text
    .replace(/[0-9a-f]{64}/g, 'H64')
    .replace(/\b[0-9a-f]{11,12}\b/g, 'H12')
    .replaceAll(folder, 'DIR')
    .replaceAll(registry, 'REG')
    .replace(/DIR\/(root|run)[^\s"']*/g, 'STORE')
    .replace(/(Less than a|About a|\d+) (second|minute)s? ago */g, 'AGO ')
    .replace(/CREATED {2,}/g, 'CREATED ')
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+(Z| \+0000 UTC)/g, (time) => (time.startsWith('1970') ? time : 'TIME'))
    .replace(/("created":|\b) ?17\d{8}\b/g, '$1N')
    .replace(/^time="[^"]*" /gm, '')
    .replaceAll('Storing signatures\n', '')
    .replace(/io\.(buildah|slipway)\.version[:=][\w.-]+/g, 'VERSION-LABEL')
    .replaceAll('buildah', 'slipway');
}
