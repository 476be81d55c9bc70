/** `completion`: small scripts that ask the program itself what could come next. */
import type { CommandContext } from '../command.ts';
import { UsageError } from '../usage-error.ts';

/** A first line `:files` or `:directories` of the answer hands over to the shell's own completion of paths. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for slipway
_slipway() {
  local rest="\${COMP_LINE:0:COMP_POINT}" word trimmed line cur head
  local -a words=()
  # bash breaks words at colons and equals signs; what no blank parts belongs together.
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    trimmed="\${rest#"\${rest%%[![:space:]]*}"}"
    [[ "$trimmed" == "$word"* ]] || word="$trimmed"
    if (( \${#words[@]} > 0 )) && [[ -n "$rest" && "$trimmed" == "$rest" ]]; then
      words[\${#words[@]}-1]+="$word"
    else
      words+=("$word")
    fi
    rest="\${trimmed#"$word"}"
  done
  cur="\${words[\${#words[@]}-1]}"
  # What stands on the line already, before the piece that bash will replace.
  case "$word" in
    : | =) head="$cur" ;;
    *) head="\${cur%"$word"}" ;;
  esac
  [[ "$cur" == "$word" ]] && head=
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "\${cur#"$head"}"); return ;;
      :directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "\${cur#"$head"}"); return ;;
      *)
        line="\${line%%$'\\t'*}"
        COMPREPLY+=("\${line#"$head"}")
        ;;
    esac
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2>/dev/null
}
complete -F _slipway slipway
`,
  zsh: `#compdef slipway
# zsh completion for slipway
_slipway() {
  local line value text
  local -a found
  while IFS= read -r line; do
    case "$line" in
      :files) _files; return ;;
      :directories) _files -/; return ;;
    esac
    value="\${line%%$'\\t'*}"
    text="\${line#*$'\\t'}"
    value="\${value//:/\\\\:}"
    [[ "$text" == "$line" ]] && found+=("$value") || found+=("$value:$text")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe slipway found
}
compdef _slipway slipway
`,
  fish: `# fish completion for slipway
function __slipway_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  switch "$found[1]"
    case :files
      __fish_complete_path (commandline -ct)
    case :directories
      __fish_complete_directories (commandline -ct)
    case '*'
      printf '%s\\n' $found
  end
end
complete -c slipway -f -a '(__slipway_complete)'
`,
};

export async function completion(c: CommandContext): Promise<number> {
  const shell = c.args[0]!;
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    throw new UsageError(`no completion for "${shell}": bash, zsh and fish are known`, {
      near: { word: shell, candidates: Object.keys(SCRIPTS), prefix: '' },
    });
  }
  c.stdout.write(script);
  return 0;
}
