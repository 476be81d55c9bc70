/** For a name that was taken for an image because no stage has it: the stage that was probably meant. */
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';

/**
 * The error with a hint that names a stage; others, and names that can only be images, pass through. A stage nearly of
 * that name is a better guess than what the error itself proposes.
 */
export function withStageHint(error: unknown, reference: string, stages: Iterable<string>): unknown {
  if (!isBuilderError(error) || error.code === 'sys.cancelled' || /[/:@]/.test(reference)) return error;
  const near = suggest(reference, stages);
  if (near === undefined) return error;
  return new BuilderError(error.code, error.message, {
    cause: error.cause,
    hint: `did you mean the stage ${near}?`,
    ...(error.span === undefined ? {} : { span: error.span }),
    facts: error.facts,
  });
}
