import * as calls from '../api/calls.ts';
import { Failure } from '../api/failure.ts';
import type { Account, Passkey } from '../api/words.ts';

// Passkeys (W3C Web Authentication, Level 3): the browser asks the officer's
// key, the post asks for it and judges the answer.

/** usable tells whether this browser knows passkeys. */
export const usable = (): boolean => typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** asked turns what a browser says instead of an answer into a code of ours. */
async function asked(answer: Promise<Credential | null>): Promise<object> {
  let credential: Credential | null;
  try {
    credential = await answer;
  } catch (thrown) {
    // Section 5.1.3: a key that is there already; all else is told as one thing on purpose (section 14.5.2).
    const known = thrown instanceof DOMException && thrown.name === 'InvalidStateError';
    throw new Failure(known ? 'passkey.known' : 'passkey.cancelled', 0);
  }
  if (!(credential instanceof PublicKeyCredential)) throw new Failure('passkey.cancelled', 0);
  return credential.toJSON() as object;
}

/** add makes a passkey of that name for the officer who is signed in. */
export async function add(name: string): Promise<Passkey> {
  const { ceremony, options } = await calls.beginPasskey();
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON);
  return calls.addPasskey(ceremony, name, await asked(navigator.credentials.create({ publicKey })));
}

/** signIn opens a session for whoever the passkey belongs to. */
export async function signIn(): Promise<Account> {
  const { ceremony, options } = await calls.beginPasskeySignIn();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON);
  return calls.signInWithPasskey(ceremony, await asked(navigator.credentials.get({ publicKey })));
}
