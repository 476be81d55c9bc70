/** This release; the same as package.json's (a test compares them). */
export const VERSION = '0.1.0';
/** Releases of the specifications that are followed. */
export const IMAGE_SPEC_VERSION = '1.1.1';
export const RUNTIME_SPEC_VERSION = '1.2.0';
/** Label that names the builder of an image, unless a fixed timestamp was asked for. */
export const IDENTITY_LABEL = 'io.slipway.version';
/** What provenance calls a build of a Dockerfile: names the meaning of its parameters. @see docs/attestations.md */
export const BUILD_TYPE = 'https://slipway.io/build-types/dockerfile/v1';
