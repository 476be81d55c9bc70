/** `--save-stages`: what stages below the target came to, as nameless images. */
import type { Engine } from '../container/engine.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { recordImage, writeImage } from '../container/write-image.ts';
import { type Stage, stageLabel } from '../dockerfile/stages.ts';
import { applyEdits, setLabel } from '../spec/edit-config.ts';
import type { EditConfig } from '../spec/image-config.ts';
import type { PlatformBuild } from './platform-build.ts';
import type { StageResult } from './stage-build.ts';

export async function saveStages(engine: Engine, o: BuildOptions, run: PlatformBuild): Promise<void> {
  for (const [index, result] of run.results) {
    if (index === run.lowered.target) continue;
    await saveStage(engine, o, run.lowered.stages.get(index)!.stage, result);
  }
}

async function saveStage(engine: Engine, o: BuildOptions, stage: Stage, result: StageResult): Promise<void> {
  const format = o.format ?? 'oci';
  const created = result.config.history?.at(-1)?.created ?? result.config.created ?? '';
  const written = writeImage(engine, {
    format,
    layers: result.root.layers,
    config: { ...applyEdits(result.config, labelsOf(o, stage)), created },
    annotations: {},
  });
  await recordImage(engine, written, [], { created });
}

function labelsOf(o: BuildOptions, stage: Stage): EditConfig[] {
  const edits = (o.layerLabels ?? []).map((entry) => {
    const at = entry.indexOf('=');
    return at === -1 ? setLabel(entry, '') : setLabel(entry.slice(0, at), entry.slice(at + 1));
  });
  if (o.stageLabels !== true) return edits;
  return [
    ...edits,
    setLabel('io.buildah.stage.name', stageLabel(stage)),
    setLabel('io.buildah.stage.base', stage.baseText),
  ];
}
