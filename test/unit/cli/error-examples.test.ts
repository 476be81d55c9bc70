/** How every error is told, at three widths, with and without colour; kept in `test/golden/errors`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorText, isCoded } from '../../../src/cli/output/error-text.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import { displayWidth } from '../../../src/cli/output/text-width.ts';
import { ERROR_CODES, type ErrorCode } from '../../../src/report/error-codes.ts';
import { suggest } from '../../../src/report/suggestion.ts';
import { ERROR_EXAMPLES, exampleError, type MakeError } from '../../support/error-examples.ts';
import { assertGolden, visible } from '../../support/golden.ts';

const WIDTHS = [60, 80, 120];

it('every code has an example in test/support/error-examples.ts', () => {
  assert.deepEqual(
    Object.keys(ERROR_CODES).filter((code) => !(code in ERROR_EXAMPLES)),
    [],
  );
});

describe('errors as they are told', () => {
  for (const [code, make] of Object.entries(ERROR_EXAMPLES) as [ErrorCode, MakeError][]) {
    it(code, async () => {
      const error = await exampleError(make);
      assert.ok(isCoded(error), `the example gives ${String(error)}`);
      assert.equal(error.code, code);
      let text = '';
      for (const color of ['never', 'always']) {
        for (const width of WIDTHS) {
          const style = styleFor({ isTty: true }, { LANG: 'C.UTF-8' }, color);
          const told = errorText(error, { width, style, verbose: false, suggest });
          if (color === 'never') assertFrame(told, width);
          text += `=== ${width} columns${color === 'always' ? ', coloured' : ''}\n${visible(told)}`;
        }
      }
      const ascii = styleFor({ isTty: true }, { LANG: 'C' }, 'never');
      text += `=== 60 columns, ASCII\n${errorText(error, { width: 60, style: ascii, verbose: false, suggest })}`;
      assertGolden(`errors/${code}.txt`, text);
    });
  }
});

/** Source lines are cut to the width; sentences wrap by themselves. */
function assertFrame(told: string, width: number): void {
  for (const line of told.split('\n')) {
    if (/^ *\d* *\|/.test(line)) assert.ok(displayWidth(line) <= width, line);
  }
}
