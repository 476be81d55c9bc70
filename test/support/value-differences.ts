/** How two JSON values differ, one line a difference, so that a failed comparison can be read. */

/** Lines like `config.Env[2]: "A=1" ≠ "A=2"`. Null, an empty list, map or string, and nothing at all are the same. */
export function valueDifferences(path: string, left: unknown, right: unknown): string[] {
  if (isEmpty(left) && isEmpty(right)) return [];
  if (!isObject(left) || !isObject(right)) {
    return left === right ? [] : [`${path}: ${JSON.stringify(left)} ≠ ${JSON.stringify(right)}`];
  }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].flatMap((key) => valueDifferences(`${path}.${key}`, left[key], right[key]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return isObject(value) && Object.keys(value).length === 0;
}
