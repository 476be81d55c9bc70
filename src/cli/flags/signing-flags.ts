/** Flags of the commands that send images, about signatures. */
import { type Option, option, refused } from '../option.ts';

/** Who signs what is sent. */
export const SIGNING_FLAGS: readonly Option[] = [
  option('--sign-by str FINGERPRINT', 'sign with a key of gpg', { tier: 'P2' }),
  option('--sign-by-sigstore-private-key str FILE', 'sign with a locked sigstore key', {
    tier: 'P2',
    complete: 'file',
  }),
  option('--sign-passphrase-file str FILE', 'passphrase of the key, in the first line of a file', {
    tier: 'P2',
    complete: 'file',
  }),
  ...refused(
    'certificates and transparency logs of sigstore are not used; use --sign-by-sigstore-private-key',
    '--sign-by-sigstore str',
  ),
];
