/** Telling what a source of ADD is: a path in the context, something to download, or a git repository. */

const SCP_LIKE = /^[a-zA-Z0-9\-_]+@[a-zA-Z0-9\-.]+:/;

export function addSourceKind(text: string): 'local' | 'http' | 'git' {
  if (/^(git|ssh):\/\//.test(text) || SCP_LIKE.test(text)) return 'git';
  if (!/^https?:\/\//.test(text)) return 'local';
  const path = text.replace(/^https?:\/\/[^/?#]*/, '').replace(/[?#].*$/s, '');
  return path.endsWith('.git') ? 'git' : 'http';
}
