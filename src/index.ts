/**
 * Slipway's library: everything the commands can do.
 *
 * ```ts
 * import { openBuilder } from 'slipway';
 * await using builder = await openBuilder();
 * const { id } = await builder.build({ context: '.', tags: ['hello'] });
 * ```
 */
export { type Builder, type ListChange, openBuilder } from './builder.ts';
export type { CachePruneOptions, CacheSummary, PrunedCaches } from './container/cache-store.ts';
export type { LayerInsightOptions } from './container/layer-insight.ts';
export type { CreateListOptions } from './container/list-verbs.ts';
export type { PrunedStore, PruneStoreOptions } from './container/prune-store.ts';
export type { RebaseOptions, RebaseResult } from './container/rebase.ts';
export type { RememberedStep } from './container/remembered-steps.ts';
export type { CheckCounts, Damage } from './container/store-damage.ts';
export type { StoreCheckOptions, StoreCheckReport } from './container/store-repair.ts';
export type { ContainerUsage, ImageUsage, StoreUsage, UsageTotal } from './container/store-usage.ts';
export type { TreeChange, TreeDiffOptions } from './container/tree-diff.ts';
export type {
  ArtifactOptions,
  BuilderOptions,
  BuildOptions,
  BuildResult,
  BuiltImage,
  CommitOptions,
  CommitResult,
  ConfigChanges,
  ContainerSummary,
  CopyOptions,
  FromOptions,
  ImageSummary,
  InfoReport,
  Inspection,
  ListEntryOptions,
  LoginOptions,
  PullOptions,
  PullPolicy,
  PushOptions,
  RegistryOptions,
  RemovedImage,
  RunOptions,
  WhyOptions,
} from './container/verb-options.ts';
export type { BaseImage, RunDefaults, WorkingContainer } from './container/working-container.ts';
export { getLogin, logout } from './credentials.ts';
export {
  type CheckFinding,
  type CheckOptions,
  type CheckReport,
  type CheckTextOptions,
  check,
  checkDockerfile,
  type DockerfileOptions,
  dockerfileRanges,
  type InstructionRanges,
  listTargets,
  type OutlineArg,
  type OutlineCache,
  type OutlineRequirement,
  outlineTarget,
  type TargetEntry,
  type TargetList,
  type TargetOutline,
} from './dockerfile-queries.ts';
export { type HostCheck, type HostReport, hostReport } from './host-report.ts';
export type { EncryptionOptions } from './image/crypt/layer-crypt.ts';
export type { HistoryStep } from './image/image-history.ts';
export {
  addSource,
  type CopyBetweenOptions,
  type CreateSourceOptions,
  copyImage,
  createSourceImage,
  type DescribeOptions,
  deleteImage,
  type ImageDescription,
  inspectImage,
  listImageTags,
  type PlaceOptions,
  pullSourceImage,
  pushSourceImage,
  readImageDocument,
  type TagList,
} from './image-places.ts';
export type {
  BuildReport,
  ReportImage,
  ReportPlace,
  ReportStep,
  ReportWarning,
} from './insight/build-report.ts';
export type { ImageInsight, LayerFile, LayerInsight, WastedFile } from './insight/image-insight.ts';
export type { BuildTimings, PhaseTiming, StepTiming } from './report/build-timings.ts';
export { BuilderError, isBuilderError } from './report/builder-error.ts';
export type { Diagnostic } from './report/diagnostic.ts';
export { ERROR_CODES, type ErrorCode } from './report/error-codes.ts';
export type { BuildEvent, Emit, PlannedStage, PlannedStep } from './report/event.ts';
export type { BuildExplanation, Cause, StageExplanation, StepExplanation } from './report/explanation.ts';
export { firstError } from './report/first-error.ts';
export type { ResourceUsage } from './report/resource-usage.ts';
export { positionOf, type SourceFile, type Span } from './report/source-file.ts';
export type { PhaseName, StepOutcome } from './report/step-phase.ts';
export { suggest } from './report/suggestion.ts';
export type { Descriptor } from './spec/descriptor.ts';
export type { ChainId, DiffId, Digest } from './spec/digest.ts';
export type { ContainerConfig, HealthConfig, HistoryEntry, ImageConfig } from './spec/image-config.ts';
export type { Compression, ImageFormat, LayerCompression } from './spec/media-type.ts';
export { formatPlatform, hostPlatform, type Platform, parsePlatform } from './spec/platform.ts';
export type { ExitStatus, Isolation, NetworkMode, ResourceLimit } from './spec/process-spec.ts';
export { IMAGE_SPEC_VERSION, RUNTIME_SPEC_VERSION, VERSION } from './spec/version.ts';
export type { SigningOptions } from './trust/signer.ts';
