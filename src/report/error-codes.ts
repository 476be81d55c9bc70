/** Every error code, `area.problem`, with the sentence that docs/errors.md prints for it. */
export const ERROR_CODES = {
  // usage
  'usage.invalid': 'The command line asks for something that cannot be understood.',
  'usage.unsupported': 'A flag or feature is known but cannot be done here; it is refused rather than ignored.',
  // sys
  'sys.call-failed': 'A kernel call failed; the message names operation, path and errno.',
  'sys.not-permitted': 'The kernel refuses what is needed; the hint names what to change.',
  'sys.spawn-failed': 'A helper program could not be started.',
  'sys.cancelled': 'The work was cancelled.',
  'path.escapes': 'A path leaves the directory it must stay in.',
  // store
  'store.damaged': 'Something in the store is not what its name promises.',
  'store.format': 'The store was written by an incompatible release.',
  'blob.not-found': 'A blob is not in the store.',
  'blob.digest-mismatch': 'Content does not have the digest or size that was promised.',
  'image.not-known': 'No image of that name or id is in the store.',
  'image.in-use': 'The image is used by containers.',
  'image.base-unknown': 'What an image was built from cannot be told, or is not what it was said to be.',
  'image.ambiguous': 'A short id matches more than one image.',
  'container.not-known': 'No working container of that name or id exists.',
  'container.exists': 'The name is in use by a working container.',
  // archive
  'tar.invalid': 'A tar archive breaks its format or a limit.',
  'compression.invalid': 'A compressed stream is damaged or breaks a limit.',
  // rootfs
  'layer.invalid': 'A layer cannot be applied.',
  'layer.encrypted': 'A layer is encrypted, and no key that was given opens it.',
  'key.invalid': 'A key to encrypt or decrypt layers cannot be read or used.',
  'layer.diff-failed': 'The difference of two trees cannot be written as a layer.',
  'layer.id-unmapped': 'A layer holds an owner outside the mapped id range.',
  'snapshot.not-known': 'A snapshot is missing.',
  'snapshot.exists': 'An active snapshot of that key exists already.',
  'driver.unavailable': 'The storage driver cannot work here.',
  // run
  'run.start-failed': 'A process could not be started in the container.',
  'run.isolation-unavailable': 'The isolation asked for cannot work here.',
  'run.network-unavailable': 'The network asked for cannot be connected.',
  'step.failed': 'A RUN step or command ended with a non-zero exit code.',
  // copy
  'copy.source-missing': 'A source of COPY, ADD, copy or add does not exist.',
  'copy.invalid': 'A copy cannot be done as asked.',
  'copy.fetch-failed': 'A remote source of ADD cannot be fetched.',
  // spec
  'reference.invalid': 'An image reference is not well-formed.',
  'manifest.no-entry': 'A list of images has no entry of that digest or name.',
  'image.name-in-use': 'Another image has the name.',
  'manifest.not-a-list': 'A list of images was asked for, and the name is that of an image.',
  'manifest.invalid': 'A manifest, index or config is not well-formed.',
  'platform.not-runnable': 'Programs of the platform cannot be run on this machine.',
  'platform.not-found': 'An index has no entry for the platform.',
  // registry
  'registry.unauthorized': 'The registry refuses the credentials, or wants some.',
  'registry.request-failed': 'A registry answered with an error or could not be reached.',
  'registry.not-a-registry': 'The address answered, but not as a registry.',
  'registry.blocked': 'The registry configuration forbids this registry.',
  'transport.unsupported': 'The transport is unknown or cannot be used this way.',
  'transport.failed': 'A Docker daemon or the storage of another tool could not be reached, or refused what was asked.',
  'auth.file-invalid': 'A credentials file is not well-formed.',
  // trust
  'trust.invalid': 'The signature policy, a key it names or the configuration of signature stores cannot be used.',
  'image.untrusted': 'The signature policy does not accept the image.',
  'signature.invalid': 'A stored signature cannot be read.',
  'signature.failed': 'An image cannot be signed, or its signatures cannot be kept.',
  // dockerfile
  'dockerfile.syntax': 'The Dockerfile breaks a rule of the language.',
  'dockerfile.unknown-instruction': 'No instruction of that name exists.',
  'dockerfile.unknown-flag': 'The instruction has no flag of that name.',
  'dockerfile.expansion': 'A variable cannot be expanded as written.',
  'dockerfile.stage-not-found': 'A stage is used that does not exist (yet).',
  'dockerfile.lint': 'There are lint findings, and the Dockerfile or a build argument says that these fail a build.',
  'dockerfile.not-found': 'No Dockerfile was found.',
  'ignore.invalid': 'An ignore file has a malformed pattern.',
  // build
  'context.invalid': 'The build context cannot be used.',
  'build.failed': 'A step of the build failed.',
  'lock.invalid': 'The lock file is missing, malformed, or of another version.',
  'lock.missing': 'A locked build needs an input that its lock file does not name.',
  'lock.mismatch': 'An input of a locked build is not what the lock file says.',
  'policy.denied': 'A policy forbids to use the source or the image.',
  'policy.invalid': 'A policy file is missing or malformed.',
  'cache.not-known': 'No cache of RUN mounts has that id or name.',
  'cache.ambiguous': 'Several caches of RUN mounts have that id.',
  'cache.in-use': 'A command is using the cache.',
  'cache.damaged': 'A cache that was imported promised a layer and gave something else, or nothing.',
  'build.not-known': 'No build of that context and Dockerfile is remembered.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
