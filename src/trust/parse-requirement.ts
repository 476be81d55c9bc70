/** Reads one requirement of a policy. */
import type { KeySource, Requirement, SignedIdentity, UnsupportedRequirement } from './policy.ts';
import type { PolicyObject } from './policy-object.ts';
import { parseName } from './signed-identity.ts';

type Unplaced<T> = T extends unknown ? Omit<T, 'path'> : never;

const TYPES = ['insecureAcceptAnything', 'reject', 'signedBy', 'sigstoreSigned', 'signedBaseLayer'];
const KEY_TYPES = ['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'];
const REKOR_KEYS = ['rekorPublicKeyPath', 'rekorPublicKeyPaths', 'rekorPublicKeyData', 'rekorPublicKeyDatas'];
const IDENTITIES = [
  'matchExact',
  'matchRepoDigestOrExact',
  'matchRepository',
  'exactReference',
  'exactRepository',
  'remapIdentity',
] as const;
/** A registry, or a registry with a path: what a name may begin with. */
const PREFIX = /^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

/** @throws `trust.invalid` */
export function parseRequirement(o: PolicyObject): Unplaced<Requirement> {
  const type = o.text('type');
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      return { type };
    case 'signedBy':
      return parseSignedBy(o);
    case 'sigstoreSigned':
      return parseSigstoreSigned(o);
    case 'signedBaseLayer':
      parseIdentity(o.object('baseLayerIdentity'));
      return unsupported('signedBaseLayer', 'no tool has ever checked it');
    default:
      return o.fail('type', `${JSON.stringify(type)} is none of ${TYPES.join(', ')}`);
  }
}

function unsupported(what: string, why: string): UnsupportedRequirement {
  return { type: 'unsupported', what, why };
}

function parseSignedBy(o: PolicyObject): Unplaced<Requirement> {
  const keyType = o.text('keyType');
  if (!KEY_TYPES.includes(keyType)) o.fail('keyType', `${JSON.stringify(keyType)} is not GPGKeys`);
  const keys = parseKeys(o, ['keyPath', 'keyPaths', 'keyData']);
  const identity = signedIdentity(o);
  if (keyType !== 'GPGKeys') return unsupported(`keyType ${keyType}`, 'only GPGKeys are ever checked');
  return { type: 'signedBy', keys, identity };
}

function parseSigstoreSigned(o: PolicyObject): Unplaced<Requirement> {
  const identity = signedIdentity(o);
  const sources = ['keyPath', 'keyPaths', 'keyData', 'keyDatas', 'fulcio', 'pki'].filter((key) => o.has(key));
  const rekor = REKOR_KEYS.filter((key) => o.has(key));
  for (const key of rekor) o.value(key);
  if (rekor.length > 1) o.fail(rekor[1]!, `it cannot stand beside ${rekor[0]}`);
  if (sources.length === 1 && (sources[0] === 'fulcio' || sources[0] === 'pki')) {
    o.object(sources[0]);
    return unsupported(sources[0], 'certificates behind sigstore signatures are not checked; use keyPath or keyData');
  }
  const keys = parseKeys(o, ['keyPath', 'keyPaths', 'keyData', 'keyDatas'], sources);
  if (rekor.length === 1) {
    return unsupported(rekor[0]!, 'entries in a transparency log are not checked; use keyPath or keyData alone');
  }
  return { type: 'sigstoreSigned', keys, identity };
}

function parseKeys(o: PolicyObject, names: readonly string[], present = names.filter((key) => o.has(key))): KeySource {
  const [name, second] = present;
  if (name === undefined) return o.fail('type', `one of ${names.join(', ')} is needed beside it`);
  if (second !== undefined) return o.fail(second, `it cannot stand beside ${name}`);
  if (name === 'keyPath') return { paths: [o.text(name)] };
  if (name === 'keyPaths') return { paths: o.texts(name) };
  return { data: name === 'keyData' ? [o.data(name)] : o.datas(name) };
}

function signedIdentity(o: PolicyObject): SignedIdentity {
  return o.has('signedIdentity') ? parseIdentity(o.object('signedIdentity')) : { type: 'matchRepoDigestOrExact' };
}

function parseIdentity(o: PolicyObject): SignedIdentity {
  const identity = identityOf(o);
  o.end();
  return identity;
}

function identityOf(o: PolicyObject): SignedIdentity {
  const text = o.text('type');
  const type = IDENTITIES.find((name) => name === text);
  switch (type) {
    case undefined:
      return o.fail('type', `${JSON.stringify(text)} is none of ${IDENTITIES.join(', ')}`);
    case 'exactReference':
      return { type, reference: reference(o, 'dockerReference', true) };
    case 'exactRepository':
      return { type, repository: reference(o, 'dockerRepository', false) };
    case 'remapIdentity':
      return { type, prefix: prefix(o, 'prefix'), signedPrefix: prefix(o, 'signedPrefix') };
    default:
      return { type };
  }
}

function reference(o: PolicyObject, key: string, isWhole: boolean): string {
  const text = o.text(key);
  const name = parseName(text);
  if (name === undefined) return o.fail(key, `${JSON.stringify(text)} is no image name`);
  if (isWhole && name.tag === undefined && name.digest === undefined) {
    return o.fail(key, `${JSON.stringify(text)} has neither tag nor digest`);
  }
  return text;
}

function prefix(o: PolicyObject, key: string): string {
  const text = o.text(key);
  return PREFIX.test(text) ? text : o.fail(key, `${JSON.stringify(text)} is no registry or beginning of a name`);
}
