/** From the network asked for to the one a process gets, and to what its /etc files say about it. */
import { resolve } from 'node:path';
import type { NetworkMode, ProcessNetwork } from '../spec/process-spec.ts';
import type { BindFileOptions } from './bind-files.ts';
import { openPrivateNetwork, type PrivateNetworkOptions } from './private-network.ts';

/** There until disposed. */
export interface OpenNetwork extends AsyncDisposable {
  readonly process: ProcessNetwork;
  readonly files: Pick<BindFileOptions, 'network' | 'resolver' | 'hostAddress'>;
}

/**
 * The caller's network unless something else is asked for, so that `apt-get update` works on every machine; who asks
 * for one of its own gets that or an error, never something else in silence.
 * @throws `run.network-unavailable`, `sys.cancelled`
 */
export async function openNetwork(mode: NetworkMode, o: PrivateNetworkOptions = {}): Promise<OpenNetwork> {
  if (mode === 'host' || mode === 'none') {
    return { process: mode, files: { network: mode }, async [Symbol.asyncDispose]() {} };
  }
  if (isNamespacePath(mode)) {
    const process = { namespace: resolve('/', mode.slice('ns:'.length)) };
    return { process, files: { network: 'private' }, async [Symbol.asyncDispose]() {} };
  }
  const network = await openPrivateNetwork(mode, o);
  const { resolver, hostAddress } = network;
  return {
    process: { namespace: network.namespace },
    files: { network: 'private', resolver, ...(hostAddress === undefined ? {} : { hostAddress }) },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

function isNamespacePath(mode: NetworkMode): mode is `ns:${string}` {
  return mode.startsWith('ns:');
}
