import * as calls from '../api/calls.ts';
import { failureOf, type Failure } from '../api/failure.ts';
import type { Account, Credentials, PolicyView, System } from '../api/words.ts';
import { Lease } from './lease.ts';
import * as passkey from './passkey.ts';

const pollEvery = 10_000; // ms between looks at the post
const activeFor = 120_000; // ms after a touch in which the page's own calls may keep the session alive

export type SessionState = 'asking' | 'out' | 'in' | 'expired';

/** Session is who is signed in, and the state of the post that they always see. */
export class Session {
  state = $state<SessionState>('asking');
  account = $state<Account>();
  system = $state<System>();
  policy = $state<PolicyView>();
  unreachable = $state(false);
  left = $state(Number.POSITIVE_INFINITY); // ms until the session ends if nothing is done
  shift = $state(false); // the session ends then whatever is done
  #touched = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;
  #lease: Lease | undefined;

  /** begin looks whether the browser still holds a session. */
  async begin(): Promise<void> {
    calls.whenSignedOut(() => {
      if (this.state === 'in') this.state = 'expired';
      else if (this.state === 'asking') this.state = 'out';
    });
    calls.whenUsed(() => this.#lease?.used(Date.now()));
    this.#timer = setInterval(() => void this.look(), pollEvery);
    this.#clock = setInterval(() => this.#tick(), 1000);
    try {
      await this.#enter(await calls.whoAmI());
    } catch (thrown) {
      this.unreachable = failureOf(thrown).status === 0;
      this.state = 'out';
    }
  }

  /** touched notes that the officer is here. Only then do the page's own calls keep the session alive. */
  touched(): void {
    this.#touched = Date.now();
  }

  signIn(c: Credentials): Promise<Failure | undefined> {
    return this.#signIn(calls.signIn(c));
  }

  signInWithPasskey(): Promise<Failure | undefined> {
    return this.#signIn(passkey.signIn());
  }

  async #signIn(asked: Promise<Account>): Promise<Failure | undefined> {
    try {
      await this.#enter(await asked);
      return undefined;
    } catch (thrown) {
      return failureOf(thrown);
    }
  }

  async signOut(): Promise<void> {
    await calls.signOut().catch(() => undefined); // a session that is gone is what was wanted
    this.account = undefined;
    this.system = undefined;
    this.state = 'out';
  }

  /** stay lengthens the session, where it is not the end of the shift. */
  async stay(): Promise<void> {
    this.touched();
    await calls.whoAmI().catch(() => undefined); // whoever refuses has told that the session is over
    this.#tick();
  }

  #tick(): void {
    if (this.state !== 'in' || !this.#lease) return;
    const { left, shift } = this.#lease.at(Date.now());
    this.left = left;
    this.shift = shift;
    if (left <= 0) this.expired();
  }

  /** expired is called where a stream was shut because the session is over. */
  expired(): void {
    if (this.state === 'in') this.state = 'expired';
  }

  /** look reads the state of the post. */
  async look(): Promise<void> {
    if (this.state !== 'in' || Date.now() - this.#touched > activeFor) return;
    try {
      this.system = await calls.system();
      this.unreachable = false;
    } catch (thrown) {
      this.unreachable = failureOf(thrown).status === 0;
    }
  }

  async #enter(account: Account): Promise<void> {
    this.account = account;
    this.#lease = new Lease(account, Date.now());
    this.left = Number.POSITIVE_INFINITY;
    this.touched();
    this.state = 'in';
    const [, policy] = await Promise.all([this.look(), calls.policyView()]);
    this.policy = policy;
  }

  /** may tells whether the officer holds a role. */
  may(role: 'officer' | 'supervisor' | 'auditor'): boolean {
    return this.account?.roles?.includes(role) ?? false;
  }

  end(): void {
    clearInterval(this.#timer);
    clearInterval(this.#clock);
  }
}
