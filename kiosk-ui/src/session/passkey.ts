import * as calls from '../api/calls.ts';
import { Failure } from '../api/failure.ts';
import type { Account, Passkey } from '../api/words.ts';

// Passkeys (W3C Web Authentication, Level 3): the browser asks the officer's
// key, the post asks for it and judges the answer.

/** usable tells whether this browser knows passkeys. */
export const usable = (): boolean => typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** asked turns what a browser says instead of an answer into a code of ours. */
async function asked(answer: Promise<Credential | null>): Promise<PublicKeyCredential> {
  let credential: Credential | null;
  try {
    credential = await answer;
  } catch (thrown) {
    // Section 5.1.3: a key that is there already; all else is told as one thing on purpose (section 14.5.2).
    const known = thrown instanceof DOMException && thrown.name === 'InvalidStateError';
    throw new Failure(known ? 'passkey.known' : 'passkey.cancelled', 0);
  }
  if (!(credential instanceof PublicKeyCredential)) throw new Failure('passkey.cancelled', 0);
  return credential;
}

const random = (): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(32));
const bytes = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64 = (b: BufferSource): string => btoa(String.fromCharCode(...new Uint8Array(ArrayBuffer.isView(b) ? b.buffer : b)));

/** given asks keys for what their pseudo-random function says to a salt each (section 10.1.4). The answer proves itself by what it opens, so the challenge is nobody's. */
async function given(keys: readonly { credential: string; salt: string }[]): Promise<{ credential: string; secret: string }> {
  const evalByCredential = Object.fromEntries(keys.map((k) => [k.credential.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, ''), { first: bytes(k.salt) }]));
  const answer = await asked(
    navigator.credentials.get({
      publicKey: {
        challenge: random(),
        allowCredentials: keys.map((k) => ({ type: 'public-key', id: bytes(k.credential) })),
        userVerification: 'required', // without it a key gives another secret (CTAP 2.1, 12.5)
        extensions: { prf: { evalByCredential } },
      },
    }),
  );
  const secret = answer.getClientExtensionResults().prf?.results?.first;
  if (!secret) throw new Failure('passkey.no_secret', 0);
  return { credential: base64(answer.rawId), secret: base64(secret) };
}

/** letUnlock lets a passkey of the officer who is signed in open the post's keys. */
export async function letUnlock(id: string): Promise<void> {
  const salt = base64(random());
  const credential = id.replace(/-/g, '+').replace(/_/g, '/');
  const { secret } = await given([{ credential, salt }]);
  await calls.unlockWithPasskey(id, salt, secret);
}

/** unlock opens a locked post by a hardware key, if it opens by any. */
async function unlock(locked: unknown): Promise<void> {
  const keys = await calls.hardwareKeys();
  if (keys.length === 0) throw locked;
  const { credential, secret } = await given(keys);
  await calls.unlock(credential, secret);
}

/** add makes a passkey of that name for the officer who is signed in. */
export async function add(name: string): Promise<Passkey> {
  const { ceremony, options } = await calls.beginPasskey();
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON);
  const made = await asked(navigator.credentials.create({ publicKey }));
  return calls.addPasskey(ceremony, name, made.toJSON() as object);
}

/** signIn opens a session for whoever the passkey belongs to. A locked post is unlocked first: the key is asked twice. */
export async function signIn(): Promise<Account> {
  const { ceremony, options } = await calls.beginPasskeySignIn().catch(async (thrown: unknown) => {
    if (!(thrown instanceof Failure && thrown.code === 'vault.locked')) throw thrown;
    await unlock(thrown);
    return calls.beginPasskeySignIn();
  });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON);
  const answer = await asked(navigator.credentials.get({ publicKey }));
  return calls.signInWithPasskey(ceremony, answer.toJSON() as object);
}
