/** `mount` and `umount`: every container named is tried, and the worst answer counts. */
import type { CommandContext } from '../command.ts';
import { eachOf } from '../each-of.ts';
import { goJson } from '../output/go-json.ts';
import { UsageError } from '../usage-error.ts';

interface Mounted {
  readonly container?: string;
  readonly mountPoint: string;
}

export async function mount(c: CommandContext): Promise<number> {
  refuseFleeting(c);
  await using builder = await c.open();
  const mounted: Mounted[] = [];
  let code = 0;
  if (c.args.length === 0) {
    for (const { name, mountPoint } of await builder.containers()) {
      if (mountPoint !== undefined) mounted.push({ container: name, mountPoint });
    }
  } else {
    // One container alone is not named again: scripts take the line as the path.
    const isAlone = c.args.length === 1;
    code = await eachOf(c, c.args, async (container) => {
      const mountPoint = await builder.mount(container);
      mounted.push(isAlone ? { mountPoint } : { container, mountPoint });
    });
  }
  if (c.flags.on('json')) {
    if (code === 0 || mounted.length > 0)
      c.stdout.write(`${goJson(mounted.length === 0 ? null : mounted, c.stdout.isTty)}\n`);
  } else {
    for (const { container, mountPoint } of mounted) {
      c.stdout.write(container === undefined ? `${mountPoint}\n` : `${container} ${mountPoint}\n`);
    }
  }
  return code;
}

/** Without root a mount ends with the namespace it was made in, which here would be ours. */
function refuseFleeting({ args, env }: CommandContext): void {
  if (args.length === 0 || env['SLIPWAY_LAUNCHED'] !== 'direct' || process.getuid?.() === 0) return;
  throw new UsageError('cannot mount in rootless mode: the mount would end with this command', {
    hint: 'run it in a `slipway unshare` session',
  });
}

export async function umount(c: CommandContext): Promise<number> {
  const all = c.flags.on('all');
  if (all && c.args.length > 0) {
    throw new UsageError('when using the --all switch, you may not pass any container IDs');
  }
  if (!all && c.args.length === 0) throw new UsageError('at least one container ID must be specified');
  await using builder = await c.open();
  const names = all
    ? (await builder.containers()).filter((container) => container.mountPoint !== undefined).map(({ id }) => id)
    : c.args;
  return eachOf(c, names, async (name) => {
    const { id } = await builder.umount(name);
    c.stdout.write(`${id}\n`);
  });
}
