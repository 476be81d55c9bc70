/** `config`: changes what the image of a working container will say. Prints nothing. */
import type { ConfigChanges } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { parseDuration } from '../duration.ts';

/** Members of the changes that a flag fills with its text. */
const TEXTS: readonly (readonly [keyof ConfigChanges, string])[] = [
  ['arch', 'arch'],
  ['author', 'author'],
  ['cmd', 'cmd'],
  ['comment', 'comment'],
  ['createdBy', 'created-by'],
  ['domainname', 'domainname'],
  ['entrypoint', 'entrypoint'],
  ['healthcheck', 'healthcheck'],
  ['historyComment', 'history-comment'],
  ['hostname', 'hostname'],
  ['os', 'os'],
  ['osVersion', 'os-version'],
  ['shell', 'shell'],
  ['stopSignal', 'stop-signal'],
  ['user', 'user'],
  ['variant', 'variant'],
  ['workingDir', 'workingdir'],
];

/** Members that a repeatable flag fills. */
const LISTS: readonly (readonly [keyof ConfigChanges, string])[] = [
  ['annotation', 'annotation'],
  ['env', 'env'],
  ['label', 'label'],
  ['onbuild', 'onbuild'],
  ['osFeature', 'os-feature'],
  ['port', 'port'],
  ['unsetAnnotation', 'unsetannotation'],
  ['unsetLabel', 'unsetlabel'],
  ['volume', 'volume'],
];

const HEALTH_DURATIONS = [
  ['Interval', 'healthcheck-interval'],
  ['Timeout', 'healthcheck-timeout'],
  ['StartPeriod', 'healthcheck-start-period'],
  ['StartInterval', 'healthcheck-start-interval'],
] as const;

export async function config(c: CommandContext): Promise<number> {
  const changes = configChanges(c);
  await using builder = await c.open();
  await builder.config(c.args[0]!, changes);
  return 0;
}

function configChanges({ flags }: CommandContext): ConfigChanges {
  const changes: Record<string, unknown> = {};
  for (const [key, flag] of TEXTS) {
    const value = flags.string(flag);
    if (value !== undefined) changes[key] = value;
  }
  for (const [key, flag] of LISTS) {
    const value = flags.strings(flag);
    if (value !== undefined) changes[key] = value;
  }
  const health: Record<string, number> = {};
  for (const [key, flag] of HEALTH_DURATIONS) {
    const value = flags.string(flag);
    if (value !== undefined) health[key] = parseDuration(value, `--${flag}`);
  }
  const retries = flags.int('healthcheck-retries');
  if (retries !== undefined) health['Retries'] = retries;
  if (Object.keys(health).length > 0) changes['healthcheckOptions'] = health;
  if (flags.on('add-history')) changes['addHistory'] = true;
  return changes;
}
