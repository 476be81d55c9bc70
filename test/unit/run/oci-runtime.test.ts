import { RuntimeExecutor } from '../../../src/run/oci-runtime.ts';
import { chooseExecutor } from '../../../src/run/probe.ts';
import { currentNamespace } from '../../../src/sys/user-namespace.ts';
import { busyboxProblem, executorSuite } from '../../support/executor-suite.ts';

const isolation = currentNamespace().isInitial ? 'oci' : 'rootless';

async function workingRuntime(): Promise<string | undefined> {
  try {
    return (await chooseExecutor({ env: {}, isolation })).executor.runtime;
  } catch {
    return undefined;
  }
}

const runtime = await workingRuntime();
const problem = busyboxProblem() ?? (runtime === undefined ? `no OCI runtime works here as ${isolation}` : undefined);

executorSuite(`${isolation} (${runtime})`, problem, () => new RuntimeExecutor(isolation, runtime ?? ''));
