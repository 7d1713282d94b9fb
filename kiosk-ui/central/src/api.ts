// Every call to central, in one place. The session is a cookie (HttpOnly);
// calls that change something repeat its csrf value.

export type Tone = 'go' | 'look' | 'stop';
export type Role = 'operator' | 'administrator' | 'auditor';

export interface Session {
  id: string;
  role: Role;
  csrf: string;
  idle_seconds: number;
}
export interface Trouble {
  code: string;
  tone: Tone;
  since?: string;
  list?: string;
  count?: number;
}
export interface HeldList {
  list: string;
  generation: number;
  issued_ms: number;
  stale: boolean;
}
export interface Post {
  id: string;
  tone: Tone;
  troubles: Trouble[];
  connected: boolean;
  workplace?: string;
  told?: string;
  version: string;
  lists: HeldList[] | null;
  head: { number: number; lines: number; signed?: string; agreement: string };
  waiting: number;
  orders: number;
  added: string;
  certificate_ends?: string;
  missing?: string;
}
export interface List {
  list: string;
  generation: number;
  issued_ms: number;
  posts: number;
  behind: number;
  stale: number;
  central: boolean;
  tone: Tone;
}
export interface Feed {
  id: string;
  role: string;
  reason: string;
  made_by: string;
  by: string[];
  state: string;
  decided?: string;
  published?: string;
  refused?: string;
  tone: Tone;
}
export interface Waiting {
  id: string;
  kind: string;
  what: string;
  subject: string;
  reason: string;
  made_by: string;
  made: string;
  expires: string;
  needs_code?: boolean;
  approved: string[];
  needed: number;
  posts?: string[];
  set?: string[];
  removed?: string[];
  file: string;
  command: string;
  copy?: string;
  copy_command?: string;
}
export interface Order {
  id: string;
  what: string;
  subject: string;
  reason: string;
  made_by: string;
  by: string[];
  state: string;
  decided?: string;
  posts: Record<string, number> | null;
  tone: Tone;
}
export interface Shard {
  number: number;
  workers: string[];
  silent: string[] | null;
  lists: { list: string; generation: number; records: number; whole: boolean }[];
}
export interface Backup {
  at: string;
  file: string;
  bytes: number;
}
export interface State {
  server_time: string;
  posts: Post[];
  retired: { id: string; retired: string }[];
  lists: List[];
  feeds: Feed[];
  queue: Waiting[];
  orders: Order[];
  shards: Shard[];
  backup: { tone: Tone; last: Backup[] | null };
}
export interface Event {
  number: number;
  at: string;
  who: string;
  what: string;
  subject: string;
  reason?: string;
}
export interface OrderForm {
  what: string;
  posts: string[];
  list?: string;
  record?: string;
  edition?: number;
  wrapped?: Record<string, string>;
  reason: string;
  days: number;
}

/** Failure is whatever kept a call from succeeding, in central's one error form. */
export class Failure extends Error {
  readonly code: string;
  readonly hint: string;
  readonly status: number; // 0 if central did not answer

  constructor(code: string, status: number, hint = '') {
    super(code);
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}

let csrf = '';

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
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
    throw new Failure('network', 0);
  }
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  const told = answer as { code?: unknown; hint?: unknown } | undefined;
  throw new Failure(typeof told?.code === 'string' ? told.code : 'internal.unknown', response.status, typeof told?.hint === 'string' ? told.hint : '');
}

async function remember(s: Promise<Session>): Promise<Session> {
  const session = await s;
  csrf = session.csrf;
  return session;
}

export const signIn = (id: string, password: string): Promise<Session> => remember(call('POST', '/v1/session', { id, password }));
export const whoAmI = (): Promise<Session> => remember(call('GET', '/v1/session'));
export const signOut = (): Promise<void> => call('DELETE', '/v1/session');
/** state reads everything shown; idle is a look that nobody asked for and that keeps nobody signed in. */
export const state = (idle: boolean): Promise<State> => call('GET', idle ? '/v1/state?idle=1' : '/v1/state');
export const history = async (subject: string): Promise<Event[]> => (await call<{ history: Event[] }>('GET', `/v1/history?subject=${encodeURIComponent(subject)}`)).history;
export const proposal = (id: string): string => `/v1/proposals/${encodeURIComponent(id)}`;
export const metadata = (id: string): string => `${proposal(id)}/metadata`;
export const approve = (id: string, handed: { signature?: unknown; copy?: unknown; code?: string }): Promise<{ approved: boolean }> => call('POST', `${proposal(id)}/signatures`, handed);
export const withdraw = (id: string, reason: string): Promise<void> => call('POST', `${proposal(id)}/withdraw`, { reason });
export const order = (o: OrderForm): Promise<Waiting> => call('POST', '/v1/orders', o);
export const enrol = (request: string, code: string, reason: string): Promise<Waiting> => call('POST', '/v1/enrolments', { request, code, reason });
const post = (id: string, what: string): string => `/v1/posts/${encodeURIComponent(id)}/${what}`;
export const missing = (id: string, reason: string): Promise<void> => call('PUT', post(id, 'missing'), { reason });
export const found = (id: string, reason: string): Promise<void> => call('DELETE', post(id, 'missing'), { reason });
export const retire = (id: string, reason: string): Promise<void> => call('POST', post(id, 'retire'), { reason });
