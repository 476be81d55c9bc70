/** The Go types behind `inspect`, in their field order: templates name Go fields, the JSON has other keys. */
import type { Shape } from './go-value.ts';

const STRINGS: Shape = { list: 'string' };
const LABELS: Shape = { map: 'string' };
/** Go's sets are maps to nothing. */
const SET: Shape = { map: { struct: 'struct {}', fields: [] } };

const OCI_CONFIG: Shape = {
  struct: 'v1.ImageConfig',
  fields: [
    ['User', 'string'],
    ['ExposedPorts', SET],
    ['Env', STRINGS],
    ['Entrypoint', STRINGS],
    ['Cmd', STRINGS],
    ['Volumes', SET],
    ['WorkingDir', 'string'],
    ['Labels', LABELS],
    ['StopSignal', 'string'],
    ['ArgsEscaped', 'bool'],
  ],
};

const OCI_HISTORY: Shape = {
  struct: 'v1.History',
  fields: [
    ['Created=created', 'time'],
    ['CreatedBy=created_by', 'string'],
    ['Author=author', 'string'],
    ['Comment=comment', 'string'],
    ['EmptyLayer=empty_layer', 'bool'],
  ],
};

const ROOT_FS = [
  ['Type=type', 'string'],
  ['DiffIDs=diff_ids', STRINGS],
] as const;

const OCI_IMAGE: Shape = {
  struct: 'v1.Image',
  fields: [
    ['Created=created', 'time'],
    ['Author=author', 'string'],
    ['Architecture=architecture', 'string'],
    ['Variant=variant', 'string'],
    ['OS=os', 'string'],
    ['OSVersion=os.version', 'string'],
    ['OSFeatures=os.features', STRINGS],
    ['Config=config', OCI_CONFIG],
    ['RootFS=rootfs', { struct: 'v1.RootFS', fields: ROOT_FS }],
    ['History=history', { list: OCI_HISTORY }],
  ],
};

const DOCKER_CONFIG: Shape = {
  struct: 'docker.Config',
  fields: [
    ['Hostname', 'string'],
    ['Domainname', 'string'],
    ['User', 'string'],
    ['AttachStdin', 'bool'],
    ['AttachStdout', 'bool'],
    ['AttachStderr', 'bool'],
    ['ExposedPorts', SET],
    ['Tty', 'bool'],
    ['OpenStdin', 'bool'],
    ['StdinOnce', 'bool'],
    ['Env', STRINGS],
    ['Cmd', STRINGS],
    [
      'Healthcheck',
      {
        struct: 'docker.HealthConfig',
        pointer: true,
        fields: [
          ['Test', STRINGS],
          ['StartPeriod', 'duration'],
          ['StartInterval', 'duration'],
          ['Interval', 'duration'],
          ['Timeout', 'duration'],
          ['Retries', 'int'],
        ],
      },
    ],
    ['ArgsEscaped', 'bool'],
    ['Image', 'string'],
    ['Volumes', SET],
    ['WorkingDir', 'string'],
    ['Entrypoint', STRINGS],
    ['NetworkDisabled', 'bool'],
    ['MacAddress', 'string'],
    ['OnBuild', STRINGS],
    ['Labels', LABELS],
    ['StopSignal', 'string'],
    ['StopTimeout', { pointer: '*int' }],
    ['Shell', STRINGS],
  ],
};

const V1_IMAGE: Shape = {
  struct: 'docker.V1Image',
  fields: [
    ['ID=id', 'string'],
    ['Parent=parent', 'string'],
    ['Comment=comment', 'string'],
    ['Created=created', 'time'],
    ['Container=container', 'string'],
    ['ContainerConfig=container_config', DOCKER_CONFIG],
    ['DockerVersion=docker_version', 'string'],
    ['Author=author', 'string'],
    ['Config=config', { ...DOCKER_CONFIG, pointer: true }],
    ['Architecture=architecture', 'string'],
    ['Variant=variant', 'string'],
    ['OS=os', 'string'],
    ['Size', 'int'],
  ],
};

const DOCKER_IMAGE: Shape = {
  struct: 'docker.V2Image',
  fields: [
    // Embedded: templates may leave its name out.
    ['V1Image=.', V1_IMAGE],
    ['RootFS=rootfs', { struct: 'docker.V2S2RootFS', pointer: true, fields: ROOT_FS }],
    [
      'History=history',
      {
        list: {
          struct: 'docker.V2S2History',
          fields: [
            ['Created=created', 'time'],
            ['Author=author', 'string'],
            ['CreatedBy=created_by', 'string'],
            ['Comment=comment', 'string'],
            ['EmptyLayer=empty_layer', 'bool'],
          ],
        },
      },
    ],
    ['OSVersion=os.version', 'string'],
    ['OSFeatures=os.features', STRINGS],
  ],
};

const ID_MAPPING: Shape = {
  struct: 'define.IDMappingOptions',
  fields: [
    ['HostUIDMapping', 'bool'],
    ['HostGIDMapping', 'bool'],
    ['UIDMap', { list: 'any' }],
    ['GIDMap', { list: 'any' }],
    ['AutoUserNs', 'bool'],
    [
      'AutoUserNsOpts',
      {
        struct: 'types.AutoUserNsOptions',
        fields: [
          ['Size', 'int'],
          ['InitialSize', 'int'],
          ['PasswdFile', 'string'],
          ['GroupFile', 'string'],
          ['AdditionalUIDMappings', { list: 'any' }],
          ['AdditionalGIDMappings', { list: 'any' }],
        ],
      },
    ],
  ],
};

const NAMESPACE: Shape = {
  struct: 'define.NamespaceOption',
  fields: [
    ['Name', 'string'],
    ['Host', 'bool'],
    ['Path', 'string'],
  ],
};

/** What `inspect` of a container or image gives. */
export const INSPECT_SHAPE: Shape = {
  struct: 'buildah.BuilderInfo',
  fields: [
    ['Type', 'string'],
    ['FromImage', 'string'],
    ['FromImageID', 'string'],
    ['FromImageDigest', 'string'],
    ['GroupAdd', STRINGS],
    ['Config', 'string'],
    ['Manifest', 'string'],
    ['Container', 'string'],
    ['ContainerID', 'string'],
    ['MountPoint', 'string'],
    ['ProcessLabel', 'string'],
    ['MountLabel', 'string'],
    ['ImageAnnotations', LABELS],
    ['ImageCreatedBy', 'string'],
    ['OCIv1', OCI_IMAGE],
    ['Docker', DOCKER_IMAGE],
    ['DefaultMountsFilePath', 'string'],
    ['Isolation', 'string'],
    ['NamespaceOptions', { list: NAMESPACE }],
    ['Capabilities', STRINGS],
    ['ConfigureNetwork', 'string'],
    ['CNIPluginPath', 'string'],
    ['CNIConfigDir', 'string'],
    ['IDMappingOptions', ID_MAPPING],
    ['History', { list: OCI_HISTORY }],
    ['Devices', { list: 'any' }],
    ['DeviceSpecs', { list: 'any' }],
    ['CDIConfigDir', 'string'],
  ],
};
