/**
 * Image configs and manifests as bytes, with the members in the order in which Buildah's and Docker's Go structures
 * print them, so that equal images have equal digests whoever wrote them. What was read from elsewhere is never passed
 * through here: its own bytes are kept.
 *
 * @see OCI image-spec, config.md and manifest.md; Docker image specification v1.2
 */
import type { Descriptor } from '../spec/descriptor.ts';
import type { ContainerConfig, ImageConfig } from '../spec/image-config.ts';
import { type ImageFormat, MEDIA } from '../spec/media-type.ts';

/** Docker's config names the container it came from and the image below it. */
export interface DockerExtras {
  readonly container?: string;
  readonly parent?: string;
}

const isEmpty = (value: object | undefined | null): boolean =>
  value === undefined || value === null || Object.keys(value).length === 0;

/** Go marshals maps with sorted keys. */
function sorted<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  if (map === undefined || isEmpty(map)) return undefined;
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

const orAbsent = <T>(list: readonly T[] | null | undefined): readonly T[] | undefined =>
  list === null || list === undefined || list.length === 0 ? undefined : list;

const text = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/**
 * The execution part in OCI order. Health check, shell and triggers are not in the OCI schema; they are written all the
 * same, as BuildKit does, because dropping them silently is what people find out hours later.
 */
function ociContainerConfig(c: ContainerConfig): object {
  return {
    User: text(c.User),
    ExposedPorts: sorted(c.ExposedPorts),
    Env: orAbsent(c.Env),
    Entrypoint: orAbsent(c.Entrypoint),
    Cmd: orAbsent(c.Cmd),
    Volumes: sorted(c.Volumes),
    WorkingDir: text(c.WorkingDir),
    Labels: sorted(c.Labels),
    StopSignal: text(c.StopSignal),
    Healthcheck: c.Healthcheck,
    OnBuild: orAbsent(c.OnBuild),
    Shell: orAbsent(c.Shell),
  };
}

function dockerContainerConfig(c: ContainerConfig): object {
  return {
    Hostname: c.Hostname ?? '',
    Domainname: c.Domainname ?? '',
    User: c.User ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: sorted(c.ExposedPorts),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: c.Env ?? [],
    Cmd: c.Cmd ?? null,
    Healthcheck: c.Healthcheck,
    ArgsEscaped: c.ArgsEscaped === true ? true : undefined,
    Image: '',
    Volumes: sorted(c.Volumes) ?? null,
    WorkingDir: c.WorkingDir ?? '',
    Entrypoint: c.Entrypoint ?? null,
    OnBuild: c.OnBuild ?? null,
    Labels: sorted(c.Labels) ?? null,
    StopSignal: text(c.StopSignal),
    Shell: orAbsent(c.Shell),
  };
}

/** The config of an image in the given format, as a value whose members are in writing order. */
export function configDocument(config: ImageConfig, format: ImageFormat, docker: DockerExtras = {}): object {
  const history = config.history ?? [];
  if (format === 'oci') {
    return {
      created: config.created,
      author: text(config.author),
      architecture: config.architecture,
      variant: text(config.variant),
      os: config.os,
      'os.version': text(config['os.version']),
      'os.features': orAbsent(config['os.features']),
      config: ociContainerConfig(config.config ?? {}),
      rootfs: { type: 'layers', diff_ids: config.rootfs.diff_ids },
      history: history.length === 0 ? undefined : history,
      'io.slipway.cache.v1': config['io.slipway.cache.v1'],
    };
  }
  const execution = dockerContainerConfig(config.config ?? {});
  return {
    comment: text(config.comment),
    created: config.created,
    container: text(docker.container),
    container_config: execution,
    author: text(config.author),
    config: execution,
    architecture: config.architecture,
    variant: text(config.variant),
    os: config.os,
    'os.version': text(config['os.version']),
    'os.features': orAbsent(config['os.features']),
    parent: text(docker.parent),
    rootfs: { type: 'layers', diff_ids: config.rootfs.diff_ids },
    history,
    'io.slipway.cache.v1': config['io.slipway.cache.v1'],
  };
}

export function serializeConfig(config: ImageConfig, format: ImageFormat, docker: DockerExtras = {}): Buffer {
  return Buffer.from(JSON.stringify(configDocument(config, format, docker)));
}

export function serializeManifest(
  format: ImageFormat,
  config: Descriptor,
  layers: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> = {},
): { readonly bytes: Buffer; readonly mediaType: string } {
  const mediaType = format === 'oci' ? MEDIA.ociManifest : MEDIA.dockerManifest;
  const short = ({ mediaType: type, digest, size }: Descriptor): object =>
    format === 'oci' ? { mediaType: type, digest, size } : { mediaType: type, size, digest };
  const document = {
    schemaVersion: 2,
    mediaType,
    config: short(config),
    layers: layers.map(short),
    annotations: format === 'oci' ? sorted(annotations) : undefined,
  };
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType };
}
