import { Failure, wireError } from './failure.ts';
import type { Account, Age, Candidate, Credentials, Encounter, Evidence, Finding, KeptEvidence, Outcome, Passkey, PasskeyCreation, PasskeyRequest, PolicyView, Report, System } from './words.ts';

// Every call to the post, in one place. Sessions are cookies (HttpOnly); calls
// that change something repeat the session's csrf value.

let csrf = '';
let onSignedOut: () => void = () => undefined;
let onUsed: () => void = () => undefined;

/** whenSignedOut sets who is told that the post no longer knows the session. */
export function whenSignedOut(told: () => void): void {
  onSignedOut = told;
}

/** whenUsed sets who is told that the post has answered a call of the session, which lengthens it. */
export function whenUsed(told: () => void): void {
  onUsed = told;
}

async function call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET' && csrf !== '') headers['X-CSRF-Token'] = csrf;
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Failure('network', 0, '', true);
  }
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.status !== 401) onUsed();
  if (response.ok) return answer as T;
  const failure = wireError(answer)
    ? new Failure(answer.code, response.status, answer.hint ?? '', answer.retryable)
    : new Failure('internal.unknown', response.status);
  if (failure.signedOut) onSignedOut();
  throw failure;
}

const at = (id: string, ...more: string[]): string => ['/v1/encounters', id, ...more].map((p, i) => (i === 0 ? p : encodeURIComponent(p))).join('/');

async function remember(account: Promise<Account>): Promise<Account> {
  const a = await account;
  csrf = a.csrf ?? '';
  return a;
}

export const signIn = (c: Credentials): Promise<Account> => remember(call('POST', '/v1/session', { ...c, browser: true }));
export const whoAmI = (): Promise<Account> => remember(call('GET', '/v1/session'));
export const signOut = (): Promise<void> => call('DELETE', '/v1/session');

export const passkeys = async (): Promise<Passkey[]> => (await call<{ passkeys: Passkey[] }>('GET', '/v1/passkeys')).passkeys;
export const beginPasskey = (): Promise<PasskeyCreation> => call('POST', '/v1/passkey-ceremonies');
export const addPasskey = (ceremony: string, name: string, credential: object): Promise<Passkey> => call('POST', '/v1/passkeys', { ceremony, name, credential });
export const removePasskey = (id: string): Promise<void> => call('DELETE', `/v1/passkeys/${encodeURIComponent(id)}`);
export const unlockWithPasskey = (id: string, salt: string, secret: string): Promise<void> => call('PUT', `/v1/passkeys/${encodeURIComponent(id)}/unlock`, { salt, secret });
/** hardwareKeys and unlock are there while the post is locked: which keys open it, and what one of them gave. */
export const hardwareKeys = async (): Promise<{ credential: string; salt: string }[]> => (await call<{ keys: { credential: string; salt: string }[] }>('GET', '/v1/keys/hardware')).keys;
export const unlock = (credential: string, secret: string): Promise<void> => call('POST', '/v1/keys/hardware', { credential, secret });
export const beginPasskeySignIn = (): Promise<PasskeyRequest> => call('POST', '/v1/session/passkey-ceremonies');
export const signInWithPasskey = (ceremony: string, credential: object): Promise<Account> => remember(call('POST', '/v1/session/passkey', { ceremony, credential, browser: true }));

export const system = (): Promise<System> => call('GET', '/v1/system');
export const policyView = (): Promise<PolicyView> => call('GET', '/v1/policy-view');

/** searchesReport counts the searches since a moment. */
export const searchesReport = (from: Date): Promise<Report> => call('GET', `/v1/reports/searches?from=${encodeURIComponent(from.toISOString())}`);

export interface Opening {
  purpose: string;
  document: boolean;
  fingers: boolean;
  age: Age;
  language: string; // BCP 47, '' not asked
}

export function openEncounter(o: Opening): Promise<Encounter> {
  const declared = o.language === '' ? { age: o.age } : { age: o.age, language: o.language };
  return call('POST', '/v1/encounters', { purpose: o.purpose, document: o.document, fingers: o.fingers, declared });
}

export async function openEncounters(): Promise<Encounter[]> {
  return (await call<{ encounters: Encounter[] | null }>('GET', '/v1/encounters')).encounters ?? [];
}

export const encounter = (id: string): Promise<Encounter> => call('GET', at(id));
export const readDocument = (id: string, key: { mrz: string } | { can: string }): Promise<Encounter> => call('POST', at(id, 'document'), key);
export const captureFace = (id: string): Promise<Encounter> => call('POST', at(id, 'face'));
export const captureFinger = (id: string, position: number): Promise<Encounter> => call('POST', at(id, 'fingers', String(position)));
export const exceptFinger = (id: string, position: number, reason: string): Promise<Encounter> => call('POST', at(id, 'fingers', String(position), 'exception'), { reason });
export const endFingers = (id: string): Promise<Encounter> => call('POST', at(id, 'fingers', 'end'));
export const challenge = (id: string, no_flash: boolean): Promise<Encounter> => call('POST', at(id, 'challenge'), { no_flash });
export const skip = (id: string, step: string, reason: string): Promise<Encounter> => call('POST', at(id, 'steps', step, 'skip'), { reason });

export function adjudicate(id: string, c: Candidate, finding: Finding, reason: string, second?: Credentials): Promise<Encounter> {
  return call('POST', at(id, 'adjudications'), { list: c.list, record: c.record, finding, reason, ...(second && { second }) });
}

export function decide(id: string, outcome: Outcome, reason: string, second?: Credentials): Promise<Encounter> {
  return call('POST', at(id, 'outcome'), { outcome, ...(reason !== '' && { reason }), ...(second && { second }) });
}

/** picture is the address of a face of an open encounter; version makes a new try a new picture. */
export const picture = (id: string, which: 'probe' | 'chip', version: number): string => `${at(id, 'pictures', which)}?try=${version}`;

/** photograph is the address of a photograph that the list holds of a candidate. */
export const photograph = (id: string, c: Candidate, number: number): string =>
  `${at(id, 'photograph')}?${new URLSearchParams({ list: c.list, record: c.record, number: String(number) }).toString()}`;

/** joined is the address of the picture of the person's finger and the candidate's. */
export const joined = (id: string, c: Candidate): string => at(id, 'candidates', c.list, c.record, 'fingers');

/** keptEvidence lists of which encounters evidence is kept. */
export const keptEvidence = async (): Promise<KeptEvidence[]> => (await call<{ evidence: KeptEvidence[] }>('GET', '/v1/evidence')).evidence;

const evidenceAt = (path: string, purpose: string): string => `/v1/evidence/${path}?purpose=${encodeURIComponent(purpose)}`;
export const evidence = (id: string, purpose: string): Promise<Evidence> => call('GET', evidenceAt(id, purpose));
export const evidencePicture = (id: string, which: string, purpose: string): string => evidenceAt(`${id}/pictures/${which}`, purpose);

/** socketUrl is the address of a websocket of the post. */
export const socketUrl = (path: string): string => `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}${path}`;
