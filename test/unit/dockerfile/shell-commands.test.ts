import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fragmentOf } from '../../../src/dockerfile/fragment.ts';
import { shellCommands } from '../../../src/dockerfile/shell/shell-commands.ts';

const script = (text: string) => shellCommands(fragmentOf({ name: 's', text }, 0, text.length));

/** Words joined by `·`; what is not literal in brackets; `|` behind what is piped; `$` before what is nested. */
function shown(text: string): readonly string[] | undefined {
  return script(text)?.map(({ words, assignments, isPiped, isNested }) => {
    const parts = [...assignments, ...words].map((word) => (word.isLiteral ? word.text : `[${word.text}]`));
    return `${isNested ? '$ ' : ''}${parts.join('·')}${isPiped ? ' |' : ''}`;
  });
}

const CASES: readonly (readonly [text: string, commands: readonly string[]])[] = [
  ['a b  c', ['a·b·c']],
  ['a && b || c ; d & e', ['a', 'b', 'c', 'd', 'e']],
  ['a | b |& c', ['a |', 'b |', 'c']],
  [`a 'b c' "d e" f\\ g ''`, ['a·b c·d e·f g·']],
  ["a \"x\\\"y\\z\" 'it'\\''s'", ['a·x"y\\z·it\'s']],
  ['a $b "c$d" ${e:-"} f"} $((1 + (2)))', ['a·[$b]·[c$d]·[${e:-"} f"}]·[$((1 + (2)))]']],
  ['a $ b', ['a·$·b']],
  ['A=1 B="x y" c D=2', ['A=1·B=x y·c·D=2']],
  ['A=1', ['A=1']],
  ['a >out 2>&1 <in b >>log 2>/dev/null', ['a·b']],
  ['a 2 > x', ['a·2']],
  ['a # b\nc #d', ['a', 'c']],
  ['a#b c', ['a#b·c']],
  ['a \\\n  b', ['a·b']],
  ['if a; then b; elif ! c; then d; else e; fi; f', ['a', 'b', 'c', 'd', 'e', 'f']],
  ['while a; do b; done', ['a', 'b']],
  ['for x in 1 2; do a $x; done; b', ['a·[$x]', 'b']],
  ['for x; do a; done', ['a']],
  ['for x in 1 2\ndo a\ndone', ['a']],
  ['case $x in a|b) c;; (d) e ;; *) f; esac; g', ['c', 'e', 'f', 'g']],
  ['case x in a) b; c;; esac && d', ['b', 'c', 'd']],
  ['(a; b) && { c; d; }', ['a', 'b', 'c', 'd']],
  ['f() { a; }; function g { b; }; f', ['a', 'b', 'f']],
  ['[[ a && b || c ]] && d', ['d']],
  ['(( x = 1 )) && a', ['a']],
  ['a $(b c | d) e', ['a·[$(b c | d)]·e', '$ b·c |', '$ d']],
  ['a "$(b "$(c)")"', ['a·[$(b "$(c)")]', '$ b·[$(c)]', '$ c']],
  ['a `b c`', ['a·[`b c`]', '$ b·c']],
  ['a $(case x in y) b;; esac)', ['a·[$(case x in y) b;; esac)]', '$ b']],
  ['a <(b) > >(c)', ['a·[<(b)]', '$ b', '$ c']],
  ['cat <<E >f\nrm x\nE\nb', ['cat', 'b']],
  ["cat <<-'E'\n\trm\n\tE\nb", ['cat', 'b']],
  ['cat <<<x', ['cat']],
  ['echo if then; b', ['echo·if·then', 'b']],
  ['"if" a', ['if·a']],
  ["a $'x' b", ['a·x·b']],
  ['', []],
];

for (const [text, commands] of CASES) {
  test(`the commands of ${JSON.stringify(text)}`, () => assert.deepEqual(shown(text), commands));
}

for (const text of ["a 'b", 'a "b', 'a $(b', 'a `b', 'a ${b', '$('.repeat(100_000), '${'.repeat(100_000)]) {
  test(`${JSON.stringify(text.slice(0, 20))} cannot be read`, () => assert.equal(script(text), undefined));
}

test('words know where they stand', () => {
  const text = 'a && "b c" d | e';
  assert.deepEqual(
    script(text)?.map(({ span }) => text.slice(span.start, span.end)),
    ['a', '"b c" d', 'e'],
  );
});
