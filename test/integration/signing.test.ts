/** What is signed here is accepted by skopeo, gpg and openssl, and what skopeo signed goes along with copies. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SIGSTORE_SIGNATURE } from '../../src/spec/image-signature.ts';
import { type Account, accounts } from '../support/account.ts';
import { findProgram } from '../support/command.ts';
import { makeSigstoreKey } from '../support/sigstore-key.ts';
import { PLAIN, TrustPlace } from '../support/trust-place.ts';

const missing = ['docker-registry', 'skopeo', 'gpg', 'openssl'].filter((tool) => findProgram(tool) === undefined);

for (const { name, account } of accounts()) {
  const reason = typeof account === 'string' ? account : `not installed: ${missing.join(', ')}`;
  const skip = typeof account === 'string' || missing.length > 0 ? reason : false;
  describe(`signing, as ${name}`, { skip, concurrency: false }, () => signingTests(account as Account));
}

function signingTests(account: Account): void {
  let at!: TrustPlace;
  let key = '';
  const passphrase = 'correct horse';
  const file = (name: string): string => join(at.rig.folder, 'work', name);
  const write = (name: string, text: string): string => {
    writeFileSync(file(name), text, { mode: 0o600 });
    return at.rig.give(file(name));
  };
  const must = (...words: readonly string[]): string => {
    const { status, stdout, stderr } = at.slipway(...words);
    assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const fails = (message: RegExp, ...words: readonly string[]): void => {
    const { status, stderr } = at.slipway(...words);
    assert.equal(status, 125, `${words.join(' ')} went well`);
    assert.match(stderr, message);
  };
  const signedBy = (keyFile: string): object => ({ type: 'signedBy', keyType: 'GPGKeys', keyPath: keyFile });
  /** skopeo reads the image under the policy. */
  const skopeoAccepts = (image: string): void => {
    at.rig.command('rm', ['-rf', file('copied')]);
    const words = ['--policy', at.policyFile, '--registries.d', at.registriesD];
    const copy = ['copy', '-q', '--src-tls-verify=false', `docker://${at.image(image)}`, `dir:${file('copied')}`];
    at.rig.command('skopeo', [...words, ...copy], { env: at.env });
  };
  const slipwayAccepts = (image: string): void => void must('pull', '-q', '--policy', 'always', PLAIN, at.image(image));

  before(async () => {
    at = await TrustPlace.open(account);
    at.policy({ type: 'insecureAcceptAnything' });
    const container = must('from', 'scratch');
    must('copy', '-q', container, write('content', 'content'), '/');
    must('commit', '-q', '--rm', container, 'made');
    key = at.gpg.makeKey('signer@example.com');
    at.lookaside(
      'https://example.invalid',
      `    lookaside-staging: file://${at.store}\n    use-sigstore-attachments: true\n`,
    );
    write('sigstore.key', makeSigstoreKey(passphrase).privatePem);
    write('passphrase', `${passphrase}\nnothing\n`);
  });
  after(() => at[Symbol.asyncDispose]());
  const readable = (): void => at.lookaside(`file://${at.store}`, '    use-sigstore-attachments: true\n');

  it('push signs with a key of gpg, into the staging store', () => {
    at.gpg.forgetPassphrases();
    must('push', '-q', PLAIN, '--sign-by', key, 'made', `docker://${at.image('pushed:1')}`);
    // An agent that was started for this would hold the namespace it was started in.
    if (account.kind === 'ordinary') assert.deepEqual(at.gpg.agents(), []);
    readable();
    at.policy(signedBy(at.gpg.exportKey(key, join(at.store, 'key.gpg'))));
    skopeoAccepts('pushed:1');
    slipwayAccepts('pushed:1');
    const digest = at.digestOf('pushed:1');
    at.rig.command(
      'skopeo',
      [
        'standalone-verify',
        join(file('copied'), 'manifest.json'),
        at.image('pushed:1'),
        key,
        at.signatureFile('pushed', digest),
      ],
      { env: at.env },
    );
  });

  it('commit, build and manifest push sign as well', () => {
    const container = must('from', 'scratch');
    must('commit', '-q', PLAIN, '--sign-by', key, container, `docker://${at.image('committed:1')}`);
    const context = at.rig.makeFolder('context');
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nENV a=b\n');
    must('build', '-q', PLAIN, '--sign-by', key, '-t', `docker://${at.image('built:1')}`, context);
    must('manifest', 'create', 'list', 'made');
    must('manifest', 'push', '-q', PLAIN, '--sign-by', key, 'list', `docker://${at.image('listed:1')}`);
    for (const image of ['committed:1', 'built:1', 'listed:1']) {
      skopeoAccepts(image);
      slipwayAccepts(image);
    }
    // The list and its image.
    assert.equal(readdirSync(at.store).filter((name) => name.startsWith('listed@')).length, 2);
  });

  it('signs with a locked sigstore key, whose signature openssl takes', () => {
    const pair = makeSigstoreKey(passphrase);
    write('own.key', pair.privatePem);
    const flags = ['--sign-by-sigstore-private-key', file('own.key'), '--sign-passphrase-file', file('passphrase')];
    must('push', '-q', PLAIN, ...flags, 'made', `docker://${at.image('sigstore:1')}`);
    at.policy({ type: 'sigstoreSigned', keyPath: write('own.pub', pair.publicPem) });
    slipwayAccepts('sigstore:1');
    fails(
      /a sigstore signature is required, and all there are of another kind/,
      'pull',
      '-q',
      '--policy',
      'always',
      PLAIN,
      at.image('pushed:1'),
    );

    const tag = `${at.digestOf('sigstore:1').replace(':', '-')}.sig`;
    at.skopeo(
      'copy',
      '-q',
      '--src-tls-verify=false',
      `docker://${at.image(`sigstore:${tag}`)}`,
      `dir:${file('attached')}`,
    );
    const manifest = JSON.parse(readFileSync(join(file('attached'), 'manifest.json'), 'utf8')) as {
      layers: { digest: string; mediaType: string; annotations: Record<string, string> }[];
    };
    const [layer] = manifest.layers;
    assert.equal(layer?.mediaType, 'application/vnd.dev.cosign.simplesigning.v1+json');
    writeFileSync(file('signature'), Buffer.from(layer.annotations[SIGSTORE_SIGNATURE]!, 'base64'));
    const payload = join(file('attached'), layer.digest.replace('sha256:', ''));
    const verify = ['dgst', '-sha256', '-verify', file('own.pub'), '-signature', file('signature'), payload];
    assert.match(at.rig.command('openssl', verify), /Verified OK/);

    must('push', '-q', PLAIN, '--sign-by', key, 'made', `docker://${at.image('sigstore:1')}`);
    slipwayAccepts('sigstore:1');
  });

  it('asks for nothing when the passphrase is in a file, and tells what is wrong with a key', () => {
    const locked = at.gpg.makeKey('locked@example.com', { passphrase });
    const to = `docker://${at.image('locked:1')}`;
    must('push', '-q', PLAIN, '--sign-by', locked, '--sign-passphrase-file', file('passphrase'), 'made', to);
    at.policy(signedBy(at.gpg.exportKey(locked, join(at.store, 'locked.gpg'))));
    skopeoAccepts('locked:1');
    at.gpg.forgetPassphrases();
    const push = ['push', '-q', PLAIN];
    fails(
      /cannot sign with the key .*gpg: /,
      ...push,
      '--sign-by',
      locked,
      '--sign-passphrase-file',
      write('wrong', 'x\n'),
      'made',
      to,
    );
    fails(/cannot sign with the key "nobody": gpg: .*No secret key/, ...push, '--sign-by', 'nobody', 'made', to);
    const sigstore = ['--sign-by-sigstore-private-key', file('sigstore.key')];
    fails(/the passphrase is wrong/, ...push, ...sigstore, '--sign-passphrase-file', file('wrong'), 'made', to);
    fails(/cannot ask for the passphrase/, ...push, ...sigstore, 'made', to);
    fails(/needs --sign-by or/, ...push, '--sign-passphrase-file', file('wrong'), 'made', to);
    fails(
      /is for one key/,
      ...push,
      ...sigstore,
      '--sign-by',
      key,
      '--sign-passphrase-file',
      file('wrong'),
      'made',
      to,
    );
    fails(/--sign-by-sigstore of push is not supported/, ...push, '--sign-by-sigstore', 'x.yaml', 'made', to);
  });

  it('refuses before anything is sent where signatures have no place', () => {
    fails(
      /cannot sign oci:\S+: oci: keeps no signatures/,
      'push',
      '-q',
      '--sign-by',
      key,
      'made',
      `oci:${file('layout')}`,
    );
    fails(
      /cannot sign dir:\S+: the image has no name there/,
      'push',
      '-q',
      '--sign-by',
      key,
      'made',
      `dir:${file('directory')}`,
    );
    fails(
      /an image that stays in the store: it keeps no signatures/,
      'commit',
      '--sign-by',
      key,
      must('from', 'scratch'),
      'local',
    );
    const context = join(at.rig.folder, 'context');
    fails(/an image that stays in the store/, 'build', '-q', '--sign-by', key, '-t', 'local', context);
    at.lookaside('https://example.invalid');
    const to = `docker://${at.image('nowhere:1')}`;
    fails(
      /nothing can be written to the signature store https:\/\/example\.invalid/,
      'push',
      '-q',
      PLAIN,
      '--sign-by',
      key,
      'made',
      to,
    );
    const flags = [
      '--sign-by-sigstore-private-key',
      file('sigstore.key'),
      '--sign-passphrase-file',
      file('passphrase'),
    ];
    fails(/registries\.d does not allow sigstore signatures/, 'push', '-q', PLAIN, ...flags, 'made', to);
    readable();
    assert.throws(() => at.digestOf('nowhere:1'));
  });

  it('image copy takes signatures along, adds one, or leaves them behind', () => {
    at.policy(signedBy(join(at.store, 'key.gpg')));
    const from = `docker://${at.image('pushed:1')}`;
    fails(/oci: keeps none[\s\S]*--remove-signatures/, 'image', 'copy', '-q', PLAIN, from, `oci:${file('layout')}`);
    fails(
      /the manifest has to be changed/,
      'image',
      'copy',
      '-q',
      PLAIN,
      '--format',
      'v2s2',
      from,
      `dir:${file('changed')}`,
    );
    must('image', 'copy', '-q', PLAIN, '--remove-signatures', from, `oci:${file('layout')}`);

    must('image', 'copy', '-q', PLAIN, from, `dir:${file('along')}`);
    assert.ok(readdirSync(file('along')).includes('signature-1'));
    const second = at.gpg.makeKey('second@example.com');
    must('image', 'copy', '-q', PLAIN, '--sign-by', second, from, `docker://${at.image('copied:1')}`);
    const digest = at.digestOf('copied:1');
    assert.equal(readdirSync(join(at.store, `copied@${digest.replace(':', '=')}`)).length, 2);
    at.policy(signedBy(at.gpg.exportKey(second, join(at.store, 'second.gpg'))));
    skopeoAccepts('copied:1');
    slipwayAccepts('copied:1');

    at.policy({ type: 'insecureAcceptAnything' });
    const named = ['--sign-by', second, '--sign-identity', 'registry.example.com/named:1'];
    must('image', 'copy', '-q', PLAIN, '--remove-signatures', ...named, from, `dir:${file('named')}`);
    const verify = ['standalone-verify', join(file('named'), 'manifest.json'), 'registry.example.com/named:1', second];
    at.rig.command('skopeo', [...verify, join(file('named'), 'signature-1')], { env: at.env });
  });

  it("signs into Podman's storage, from where images come without signatures", () => {
    const storage = `containers-storage:[vfs@${file('storage')}+${file('storage-run')}]localhost/stored:1`;
    must('push', '-q', '--sign-by', key, 'made', storage);
    const copy = at.rig.command('sh', [
      '-c',
      `skopeo --insecure-policy copy '${storage}' 'dir:${file('x')}' 2>&1 || true`,
    ]);
    assert.match(copy, /Would invalidate signatures/);
    must('pull', '-q', storage);
  });

  it('lets no passphrase out', () => {
    const { stdout, stderr } = at.slipway(
      ...['--log-level', 'debug', 'push', PLAIN, '--sign-by-sigstore-private-key', file('sigstore.key')],
      ...['--sign-passphrase-file', file('passphrase'), 'made', `docker://${at.image('secret:1')}`],
    );
    assert.equal(`${stdout}${stderr}`.includes(passphrase), false);
    const found = at.rig.command('sh', ['-c', `grep -rlF '${passphrase}' '${at.rig.folder}' 2>/dev/null || true`]);
    assert.deepEqual(found.trim().split('\n'), [file('passphrase')]);
  });
}
