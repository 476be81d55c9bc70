/** What `inspect` shows: Buildah's document, members in its order, for a container, an image or a list. */
import { configDocument } from '../image/serialize-config.ts';
import { adjustCapabilities } from '../run/capabilities.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import { isIndex } from '../spec/media-type.ts';
import type { Isolation } from '../spec/process-spec.ts';
import { findContainer, requireContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import { type LocalImage, loadImage, requireImage } from './local-image.ts';
import { visibleMount } from './mount-container.ts';
import type { Inspection } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';

/**
 * Looks at a container of that name, else an image, else a list; `type` narrows that.
 * @throws `container.not-known`, `image.not-known`
 */
export function inspect(engine: Engine, nameOrId: string, type?: Inspection['type']): Inspection {
  const isContainer = type === undefined && findContainer(engine, nameOrId) !== undefined;
  if (isContainer || type === 'container') return inspectContainer(engine, nameOrId);
  const record = requireImage(engine, nameOrId);
  if (isIndex(record.manifest.mediaType)) {
    const raw = engine.store.blobs.read(record.manifest.digest).toString('utf8');
    return { type: 'manifest', json: JSON.parse(raw) as Record<string, unknown> };
  }
  return { type: 'image', json: imageDocument(loadImage(engine, record)) };
}

function inspectContainer(engine: Engine, nameOrId: string): Inspection {
  const container = requireContainer(engine, nameOrId);
  return { type: 'container', json: containerDocument(engine, container) };
}

function imageDocument(image: LocalImage): Record<string, unknown> {
  return document({
    name: image.record.names[0] ?? '',
    id: image.record.id,
    digest: image.record.manifest.digest,
    rawConfig: image.rawConfig.toString('utf8'),
    rawManifest: image.rawManifest.toString('utf8'),
    annotations: image.manifest.annotations ?? {},
    config: image.config,
    isolation: 'oci',
  });
}

function containerDocument(engine: Engine, c: WorkingContainer): Record<string, unknown> {
  const { blobs } = engine.store;
  const manifest = c.base === undefined ? '' : blobs.read(c.base.manifest.digest).toString('utf8');
  const config = c.base === undefined ? '' : blobs.read(`sha256:${c.base.id}` as never).toString('utf8');
  return document({
    name: c.base?.name ?? 'scratch',
    id: c.base?.id ?? '',
    digest: c.base?.digest ?? '',
    rawConfig: config,
    rawManifest: manifest,
    annotations: c.annotations,
    config: c.config,
    history: [...(c.baseConfig?.history ?? []), ...c.historyBefore, ...c.historyAfter],
    isolation: c.run.isolation ?? 'oci',
    container: c,
    mountPoint: visibleMount(engine, c) ?? '',
  });
}

interface Facts {
  readonly name: string;
  readonly id: string;
  readonly digest: string;
  readonly rawConfig: string;
  readonly rawManifest: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config: ImageConfig;
  /** Of a container: what its image would have before the entry of its layer; the config's own unless told. */
  readonly history?: readonly HistoryEntry[];
  readonly isolation: Isolation;
  readonly container?: WorkingContainer;
  readonly mountPoint?: string;
}

const NAMESPACES = ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'];
const HOST_NAMESPACES = new Set(['cgroup', 'user']);

function document(f: Facts): Record<string, unknown> {
  const c = f.container;
  return {
    Type: 'buildah 0.0.1',
    FromImage: f.name,
    FromImageID: f.id,
    FromImageDigest: f.digest,
    GroupAdd: null,
    Config: f.rawConfig,
    Manifest: f.rawManifest,
    Container: c?.name ?? '',
    ContainerID: c?.id ?? '',
    MountPoint: f.mountPoint ?? '',
    ProcessLabel: '',
    MountLabel: '',
    ImageAnnotations: f.annotations,
    ImageCreatedBy: c?.createdBy ?? '',
    OCIv1: withoutUndefined(configDocument(f.config, 'oci')),
    Docker: withoutUndefined(configDocument(f.config, 'docker')),
    DefaultMountsFilePath: '',
    Isolation: f.isolation,
    NamespaceOptions: NAMESPACES.map((name) => ({
      Name: name,
      Host: HOST_NAMESPACES.has(name) || (name === 'network' && c?.run.network === 'host'),
      Path: name === 'network' && c?.run.network?.startsWith('ns:') === true ? c.run.network.slice('ns:'.length) : '',
    })),
    Capabilities:
      f.container === undefined
        ? null
        : adjustCapabilities(f.container.run.addCapabilities ?? [], f.container.run.dropCapabilities ?? []).map(
            (name) => `CAP_${name}`,
          ),
    ConfigureNetwork: c?.run.network === 'none' ? 'NetworkDisabled' : 'NetworkDefault',
    CNIPluginPath: '',
    CNIConfigDir: '',
    IDMappingOptions: {
      HostUIDMapping: true,
      HostGIDMapping: true,
      UIDMap: [],
      GIDMap: [],
      AutoUserNs: false,
      AutoUserNsOpts: {
        Size: 0,
        InitialSize: 0,
        PasswdFile: '',
        GroupFile: '',
        AdditionalUIDMappings: null,
        AdditionalGIDMappings: null,
      },
    },
    History: f.history ?? f.config.history ?? null,
    Devices: null,
    DeviceSpecs: null,
    CDIConfigDir: '',
  };
}

/** As JSON would keep it, so that a template and the printed text see the same members. */
function withoutUndefined(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
