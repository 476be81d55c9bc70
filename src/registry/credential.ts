/** What is shown to a registry to be let in. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A refresh token that is exchanged for bearer tokens. */
  | { readonly kind: 'identity-token'; readonly token: string };
