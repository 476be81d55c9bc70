/** The scopes an image's name lies in, as the trust settings of registries use them. */
import { formatReference, type QualifiedReference, repositoryName } from './reference.ts';

/**
 * From the whole name over its repository, the namespaces above and the registry to `*.` domains.
 * @see containers-policy.json(5), containers-registries.d(5)
 */
export function referenceScopes(reference: QualifiedReference): readonly string[] {
  const scopes = [formatReference(reference)];
  const path = repositoryName(reference).split('/');
  for (let length = path.length; length > 0; length--) {
    const scope = path.slice(0, length).join('/');
    if (scope !== scopes[0]) scopes.push(scope);
  }
  const labels = reference.registry.replace(/:\d+$/, '').split('.');
  for (let from = 1; from < labels.length; from++) scopes.push(`*.${labels.slice(from).join('.')}`);
  return scopes;
}
