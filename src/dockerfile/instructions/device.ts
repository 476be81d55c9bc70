/** `RUN --device=name[,required]`: a CDI device the command asks for. */
import { suggest } from '../../report/suggestion.ts';
import { parseBoolean, splitCsv } from '../csv.ts';
import { cutFragment, type Fragment, spanOf } from '../fragment.ts';
import { syntaxError } from './base.ts';

export interface DeviceRequest {
  /** `vendor/class`, `vendor/class=name`, `vendor/class=*` or an annotation class. */
  readonly name: string;
  readonly required: boolean;
}

export function parseDevice(value: Fragment): DeviceRequest {
  let name = '';
  let required = false;
  for (const field of splitCsv(value)) {
    const [key, content] = cutFragment(field, '=');
    const word = key.text.toLowerCase();
    if (word === 'required') {
      const flag = content === undefined ? true : parseBoolean(content.text);
      if (flag === undefined) throw syntaxError(spanOf(field), `invalid value for required: ${content?.text}`);
      required = flag;
    } else if (word === 'name' && content !== undefined) {
      if (name !== '') throw syntaxError(spanOf(field), `device name already set to ${name}`);
      name = content.text;
    } else if (name === '') {
      name = field.text;
    } else {
      const near = suggest(word, ['name', 'required']);
      const hint = near === undefined ? undefined : `did you mean ${near}?`;
      throw syntaxError(spanOf(field), `unexpected field ${JSON.stringify(field.text)} in a device request`, hint);
    }
  }
  if (name === '') throw syntaxError(spanOf(value), 'a device request needs a name');
  return { name, required };
}
