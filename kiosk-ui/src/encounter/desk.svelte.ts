import * as calls from '../api/calls.ts';
import { parseEvent, type Challenge, type PostEvent, type Progress } from '../api/events.ts';
import { failureOf, type Failure } from '../api/failure.ts';
import type { Candidate, Credentials, Encounter, Finding, Outcome } from '../api/words.ts';
import { follow } from '../live/socket.ts';
import { Windows } from '../live/windows.svelte.ts';
import type { Session } from '../session/session.svelte.ts';
import { apply } from './apply.ts';

/** LateHit is a hit that came after the answer; it stays until the officer has seen it. */
export interface LateHit {
  closed: boolean;
  opened: string;
  candidate: Candidate;
}

/** StepName is a step that the officer carries out. */
export type StepName = 'document' | 'face' | 'fingers' | 'presentation';
/** Act is what an officer can have under way; acts of different kinds may run side by side. */
export type Act = 'open' | StepName | 'finding' | 'outcome';

/** Desk is the work of one officer: the encounter on the page and what the post tells of it. */
export class Desk {
  current = $state<Encounter>();
  open = $state<Encounter[]>([]);
  progress = $state<Progress>();
  challenge = $state.raw<Challenge>(); // that is being shown
  late = $state<LateHit[]>([]);
  failure = $state<Failure>();
  failed = $state<Act>(); // what the failure was of; undefined for what the page did by itself
  busy = $state<Readonly<Record<Act, boolean>>>({ open: false, document: false, face: false, fingers: false, presentation: false, finding: false, outcome: false });
  elsewhere = $state(false); // the outcome was recorded by another window
  readonly windows = new Windows();
  #seen = 0; // last event
  #changes = 0; // events that changed what is shown
  #decided = ''; // encounter whose outcome this window gives; its event may come before the answer or after
  #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** follow keeps the page in step with the post until the returned function is called. */
  follow(): () => void {
    return follow(calls.socketUrl, {
      path: () => (this.#seen > 0 ? `/v1/events?after=${this.#seen}` : '/v1/events'),
      open: () => {
        if (this.failure?.status === 0) this.failure = undefined; // the post answers again
        void this.refresh();
        void this.#session.look();
      },
      message: (m) => {
        const event = typeof m.data === 'string' ? parseEvent(m.data) : undefined;
        if (event) this.take(event);
      },
      closed: (code) => {
        if (code.startsWith('session.')) {
          this.#session.expired();
          return false;
        }
        // A connection that broke goes on where it was, so that no late hit is lost. With a code (events.gone) the page
        // has fallen behind, or the post has started anew and counts from one again.
        if (code) this.#seen = 0;
        void this.refresh(); // where calls come through and streams do not
        return true;
      },
    });
  }

  /** take notes one event. */
  take(event: PostEvent): void {
    this.#seen = event.seq;
    if (event.kind === 'device.changed') void this.#session.look();
    if (event.kind === 'candidate.late' && event.data) this.late = [...this.late, event.data];
    if (!this.current || event.encounter !== this.current.id) return;
    if (event.kind === 'step.progress') this.progress = event.data;
    else this.#changes++;
    if (event.kind === 'step.changed') this.progress = undefined;
    if (event.kind === 'challenge.drawn') this.challenge = event.data;
    if (event.kind === 'presentation.judged') this.challenge = undefined;
    if (event.kind === 'encounter.outcome' && event.encounter !== this.#decided) this.elsewhere = true;
    const { encounter, stale } = apply(this.current, event);
    this.current = encounter;
    if (stale) void this.refresh();
  }

  /** refresh reads again what is shown. */
  async refresh(): Promise<void> {
    const shown = this.current;
    try {
      if (shown) {
        // What changed while it was read may not be in what was read.
        let changes;
        do {
          changes = this.#changes;
          const fresh = await calls.encounter(shown.id);
          if (this.current?.id !== fresh.id) return;
          if (changes === this.#changes) this.current = fresh;
        } while (changes !== this.#changes);
      } else if (this.#session.state === 'in') {
        const whose = this.#whose;
        const open = await calls.openEncounters();
        if (whose === this.#whose) this.open = open;
      }
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (!failure.signedOut && failure.status !== 0) {
        this.failure = failure;
        this.failed = undefined;
      }
    }
  }

  start(o: calls.Opening): Promise<boolean> {
    return this.#do('open', () => calls.openEncounter(o));
  }

  async resume(e: Encounter): Promise<void> {
    await this.#do('open', () => calls.encounter(e.id));
  }

  readDocument(key: { mrz: string } | { can: string }): Promise<boolean> {
    return this.#on('document', (id) => calls.readDocument(id, key));
  }

  captureFace(): Promise<boolean> {
    return this.#on('face', calls.captureFace);
  }

  captureFinger(position: number): Promise<boolean> {
    return this.#on('fingers', (id) => calls.captureFinger(id, position));
  }

  exceptFinger(position: number, reason: string): Promise<boolean> {
    return this.#on('fingers', (id) => calls.exceptFinger(id, position, reason));
  }

  endFingers(): Promise<boolean> {
    return this.#on('fingers', calls.endFingers);
  }

  challengePerson(no_flash: boolean): Promise<boolean> {
    this.challenge = undefined; // of the try before
    return this.#on('presentation', (id) => calls.challenge(id, no_flash));
  }

  skip(step: StepName, reason: string): Promise<boolean> {
    return this.#on(step, (id) => calls.skip(id, step, reason));
  }

  adjudicate(c: Candidate, finding: Finding, reason: string, second?: Credentials): Promise<boolean> {
    return this.#on('finding', (id) => calls.adjudicate(id, c, finding, reason, second));
  }

  async decide(outcome: Outcome, reason: string, second?: Credentials): Promise<boolean> {
    this.#decided = this.current?.id ?? '';
    const done = await this.#on('outcome', (id) => calls.decide(id, outcome, reason, second));
    if (!done) this.#decided = '';
    return done;
  }

  /** handOver puts the desk to the officer who has just signed in: on it lies their own open encounter, and nobody else's. */
  async handOver(officer: string): Promise<void> {
    await this.leave();
    const own = this.open.find((e) => e.officer === officer);
    if (officer !== '' && own) await this.resume(own);
  }

  /** leave goes back to the start; the encounter stays as it is. */
  async leave(): Promise<void> {
    this.current = undefined;
    this.open = []; // what was open before may be closed by now, or be of who sat here before
    this.failure = undefined;
    this.progress = undefined;
    this.elsewhere = false;
    await this.refresh();
  }

  seen(hit: LateHit): void {
    this.late = this.late.filter((h) => h !== hit);
  }

  /** Answers may come when somebody else has signed in, who is shown none of them. */
  get #whose(): string | undefined {
    return this.#session.account?.id;
  }

  #on(name: Act, act: (id: string) => Promise<Encounter>): Promise<boolean> {
    const id = this.current?.id;
    return id === undefined ? Promise.resolve(false) : this.#do(name, () => act(id));
  }

  async #do(name: Act, act: () => Promise<Encounter>): Promise<boolean> {
    if (this.busy[name]) return false;
    this.busy = { ...this.busy, [name]: true };
    this.failure = undefined;
    const seen = this.#seen;
    const changes = this.#changes;
    const whose = this.#whose;
    try {
      const fresh = await act();
      if ((name === 'open' && whose === this.#whose) || (this.current?.id === fresh.id && changes === this.#changes)) this.current = fresh;
      // Events may have been quicker than the answer to the call.
      if (this.#seen !== seen) await this.refresh();
      return true;
    } catch (thrown) {
      this.failure = failureOf(thrown);
      this.failed = name;
      return false;
    } finally {
      this.busy = { ...this.busy, [name]: false };
    }
  }
}
