/** policy.json against images that skopeo and gpg signed, in a real registry, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Account, accounts } from '../support/account.ts';
import { type CommandResult, findProgram } from '../support/command.ts';
import { PLAIN, TrustPlace } from '../support/trust-place.ts';

const missing = ['docker-registry', 'skopeo', 'gpg'].filter((tool) => findProgram(tool) === undefined);

for (const { name, account } of accounts()) {
  const reason = typeof account === 'string' ? account : `not installed: ${missing.join(', ')}`;
  const skip = typeof account === 'string' || missing.length > 0 ? reason : false;
  describe(`trust, as ${name}`, { skip, concurrency: false }, () => trustTests(account as Account));
}

function trustTests(account: Account): void {
  let at!: TrustPlace;
  let key = '';
  const pulls = (image: string): CommandResult =>
    at.slipway('pull', '-q', '--policy', 'always', PLAIN, at.image(image));
  const accepted = (image: string): void => {
    const result = pulls(image);
    assert.equal(result.status, 0, result.stderr);
  };
  const rejected = (image: string, why: RegExp): void => {
    const { status, stderr, stdout } = pulls(image);
    assert.equal(status, 125, `${image} was accepted`);
    assert.equal(stdout, '');
    assert.match(stderr, /^Error: source image rejected: /m);
    assert.match(stderr, why);
    assert.match(stderr, /\[image\.untrusted\]/);
    at.slipway('rmi', '-f', at.image(image));
  };
  const signedBy = (file: string, identity?: object): object => ({
    type: 'signedBy',
    keyType: 'GPGKeys',
    keyPath: file,
    ...(identity === undefined ? {} : { signedIdentity: identity }),
  });
  const keyFile = (fingerprint: string): string => at.gpg.exportKey(fingerprint, join(at.store, `${fingerprint}.gpg`));

  before(async () => {
    at = await TrustPlace.open(account);
    at.policy({ type: 'insecureAcceptAnything' });
    for (const content of ['one', 'two']) {
      const container = at.rig.run('from', 'scratch');
      const file = join(at.rig.folder, 'work', content);
      writeFileSync(file, content);
      at.rig.give(file);
      at.rig.run('copy', '-q', container, file, '/');
      at.rig.run('commit', '-q', '--rm', container, content);
      at.rig.must(['push', '-q', PLAIN, content, `docker://${at.image(`${content}:1`)}`], { env: at.env });
    }
    key = at.gpg.makeKey('signer@example.com');
    at.skopeo(
      'copy',
      '-q',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--sign-by',
      key,
      `docker://${at.image('one:1')}`,
      `docker://${at.image('one:1')}`,
    );
    at.rig.run('rmi', '-a', '-f');
  });
  after(() => at[Symbol.asyncDispose]());

  it('takes what skopeo signed, by every way an image comes in', () => {
    at.policy(signedBy(keyFile(key)), { 'containers-storage': { '': [{ type: 'reject' }] } });
    accepted('one:1');
    const image = at.image('one:1');
    const context = at.rig.makeFolder('context');
    writeFileSync(join(context, 'Dockerfile'), `FROM ${image} AS base\nFROM scratch\nCOPY --from=${image} /one /\n`);
    for (const words of [
      ['from', '--pull', '-q', PLAIN, image],
      ['build', '--pull', '-q', PLAIN, context],
      ['manifest', 'create', PLAIN, 'list', `docker://${image}`],
      ['image', 'copy', '-q', PLAIN, '--remove-signatures', `docker://${image}`, `dir:${at.rig.makeFolder('copied')}`],
    ]) {
      const result = at.slipway(...words);
      assert.equal(result.status, 0, `${words[0]}: ${result.stderr}`);
    }
    at.slipway('rm', '-a');
    at.slipway('rmi', '-a', '-f');
  });

  it('refuses an unsigned image by every way an image comes in', () => {
    at.policy(signedBy(keyFile(key)));
    rejected('two:1', /policy .*policy\.json:\d+: a signature is required, but no signature exists/);
    const image = at.image('two:1');
    const context = at.rig.makeFolder('context');
    const build = (text: string): CommandResult => {
      writeFileSync(join(context, 'Dockerfile'), text);
      return at.slipway('build', '-q', PLAIN, context);
    };
    for (const result of [
      at.slipway('from', '-q', PLAIN, image),
      build(`FROM ${image}\nENV a=b\n`),
      build(`FROM scratch\nCOPY --from=${image} /two /\n`),
      at.slipway('manifest', 'create', PLAIN, 'list2', `docker://${image}`),
      at.slipway('image', 'copy', '-q', PLAIN, `docker://${image}`, `dir:${at.rig.makeFolder('copied')}`),
    ]) {
      assert.equal(result.status === 0, false);
      assert.match(result.stderr, /source image rejected: .*no signature exists/);
    }
    assert.equal(at.slipway('images', '-q', '-a').stdout, '');
  });

  it('refuses before it asks anybody where nothing could help', () => {
    at.policy({ type: 'reject' });
    rejected('one:1', /: it rejects this image/);
    at.policy({ type: 'sigstoreSigned', fulcio: { caPath: '/ca' }, rekorPublicKeyPath: '/r' });
    rejected('one:1', /it demands fulcio, which cannot be checked here/);
  });

  it('refuses a malformed policy and one that is not there, whatever is to be done', () => {
    writeFileSync(join(at.config, 'containers/policy.json'), '{"default":\n[{"type":"signedby"}]}');
    for (const { status, stderr } of [pulls('one:1'), at.slipway('image', 'copy', `dir:${at.store}`, 'dir:x')]) {
      assert.equal(status, 125);
      assert.match(stderr, /policy\.json:2 cannot be used: key default\[0\]\.type: "signedby" is none of/);
    }
    const named = at.slipway(
      'pull',
      '-q',
      '--policy',
      'always',
      PLAIN,
      '--signature-policy',
      '/nowhere.json',
      at.image('one:1'),
    );
    assert.match(named.stderr, /\/nowhere\.json cannot be used: it does not exist/);
  });

  it('looks at the name in the signature', () => {
    const file = keyFile(key);
    at.skopeo(
      'copy',
      '-q',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--remove-signatures',
      `docker://${at.image('one:1')}`,
      `docker://${at.image('one:2')}`,
    );
    at.policy(signedBy(file));
    rejected('one:2', /it names "[^"]+\/one:1", which matchRepoDigestOrExact does not accept/);
    accepted(`one@${at.digestOf('one:1')}`);
    at.policy(signedBy(file, { type: 'matchExact' }));
    rejected(`one@${at.digestOf('one:1')}`, /which matchExact does not accept/);
    at.policy(signedBy(file, { type: 'matchRepository' }));
    accepted('one:2');
    at.policy(signedBy(file, { type: 'exactReference', dockerReference: at.image('one:1') }));
    accepted('one:2');
    at.policy(signedBy(file, { type: 'exactRepository', dockerRepository: at.image('other') }));
    rejected('one:1', /which exactRepository does not accept/);
  });

  it('takes keys in every form, and no others', () => {
    const [file, other] = [keyFile(key), keyFile(at.gpg.makeKey('other@example.com'))];
    const armored = at.gpg.exportKey(key, join(at.store, 'armored.asc'), { armored: true });
    const base = { type: 'signedBy', keyType: 'GPGKeys' };
    for (const keys of [
      { keyPath: armored },
      { keyPaths: [other, file] },
      { keyData: readFileSync(file).toString('base64') },
      { keyData: readFileSync(armored).toString('base64') },
    ]) {
      at.policy({ ...base, ...keys });
      accepted('one:1');
    }
    at.policy(signedBy(other));
    rejected('one:1', /it is by the key [0-9A-F]{16}, which is not trusted/);
    at.policy(signedBy('/nowhere.gpg'));
    assert.match(pulls('one:1').stderr, /its key \/nowhere\.gpg cannot be read \(ENOENT\)/);
  });

  it('refuses a signature that was changed, of another image, or by a key that is no longer good', () => {
    const digest = at.digestOf('two:1');
    const name = at.image('two:1');
    const signature = at.signatureFile('two', digest);
    const genuine = readFileSync(at.signatureFile('one', at.digestOf('one:1')));
    at.policy(signedBy(keyFile(key)));
    writeFileSync(signature, genuine);
    rejected('two:1', /it is of sha256:[0-9a-f]{64}, not of sha256:/);

    at.gpg.sign(key, digest, name, signature);
    accepted('two:1');
    const bytes = readFileSync(signature);
    bytes[bytes.length - 3]! ^= 1;
    writeFileSync(signature, bytes);
    rejected('two:1', /its only signature is not accepted/);
    writeFileSync(signature, '<html>');
    assert.match(pulls('two:1').stderr, /cannot read the signature .*signature-1: it is neither an OpenPGP message/);

    at.gpg.sign(key, digest, at.image('other:1'), signature);
    rejected('two:1', /it names "[^"]+\/other:1"/);

    const expired = at.gpg.makeKey('expired@example.com', { at: '20200101T000000', validity: '1y' });
    at.gpg.sign(expired, digest, name, signature, '20200601T000000');
    at.policy(signedBy(keyFile(expired)));
    rejected('two:1', /expired/i);

    const revoked = at.gpg.makeKey('revoked@example.com');
    at.gpg.sign(revoked, digest, name, signature);
    at.policy(signedBy(keyFile(revoked)));
    accepted('two:1');
    const before = at.gpg.exportKey(revoked, join(at.store, 'before.gpg'));
    at.gpg.revoke(revoked);
    at.policy({ type: 'signedBy', keyType: 'GPGKeys', keyPaths: [before, keyFile(revoked)] });
    rejected('two:1', /revoked/i);
    at.policy(signedBy(keyFile(revoked)));
    rejected('two:1', /revoked/i);
  });

  it('takes one good signature among bad ones, and wants one for every requirement', () => {
    const digest = at.digestOf('two:1');
    const second = at.gpg.makeKey('second@example.com');
    at.gpg.sign(key, digest, at.image('other:1'), at.signatureFile('two', digest));
    at.gpg.sign(second, digest, at.image('two:1'), at.signatureFile('two', digest, 2));
    const first = keyFile(key);
    at.policy(signedBy(keyFile(second)));
    accepted('two:1');
    const both = [signedBy(keyFile(second)), signedBy(first)];
    const text = { default: [{ type: 'reject' }], transports: { docker: { [at.image('two')]: both } } };
    writeFileSync(join(at.config, 'containers/policy.json'), JSON.stringify(text));
    rejected('two:1', /none of its 2 signatures is accepted: \(1\) it names .*; \(2\) it is by the key/);
  });

  it('reads signatures from a web server', async () => {
    const server = spawn(process.execPath, [join(import.meta.dirname, '../support/file-server.js'), at.store], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(server.stdout, 'data')) as [Buffer];
      at.lookaside(line.toString('utf8').trim());
      at.policy(signedBy(keyFile(key)));
      accepted('one:1');
      at.lookaside(`${line.toString('utf8').trim()}/nothing/here`);
      rejected('one:1', /no signature exists/);
    } finally {
      at.lookaside(`file://${at.store}`);
      server.kill();
    }
  });

  it('finds the signatures of a directory in it', () => {
    const folder = join(at.rig.folder, 'work/signed');
    at.policy({ type: 'insecureAcceptAnything' });
    at.skopeo('copy', '-q', '--src-tls-verify=false', `docker://${at.image('one:1')}`, `dir:${folder}`);
    const rule = (identity: object): void =>
      at.policy({ type: 'reject' }, { dir: { [folder]: [signedBy(keyFile(key), identity)] } });
    rule({ type: 'exactReference', dockerReference: at.image('one:1') });
    assert.equal(at.slipway('pull', '-q', `dir:${folder}`).status, 0);
    rule({ type: 'matchRepository' });
    assert.match(at.slipway('pull', '-q', `dir:${folder}`).stderr, /which matchRepository does not accept/);
  });
}
