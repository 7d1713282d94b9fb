// How long a session still stands, by what the post said of it. The post
// decides; this is for warning the officer in time.

/** Stood is what the post says of a session. */
export interface Stood {
  ends: string; // at the latest, clock of the post
  idle_seconds: number;
  server_time: string;
}

/** warnFor is how long before its end an officer is warned, in ms (WCAG 2.2, 2.2.1 asks for 20 s at least). */
export const warnFor = 120_000;

/** Lease counts from the last call that the post has answered. */
export class Lease {
  readonly #idle: number; // ms
  readonly #ends: number; // ms since 1970, clock of this browser
  #used: number;

  constructor(s: Stood, now: number) {
    this.#idle = s.idle_seconds * 1000;
    // The two clocks need not agree: only the distance between the post's own times counts.
    const life = Date.parse(s.ends) - Date.parse(s.server_time);
    this.#ends = Number.isNaN(life) ? Number.POSITIVE_INFINITY : now + life;
    this.#used = now;
  }

  /** used notes an answered call. */
  used(now: number): void {
    this.#used = now;
  }

  /** at returns the ms that are left, and whether it is the shift that ends and not the patience. */
  at(now: number): { left: number; shift: boolean } {
    const idle = this.#used + this.#idle - now;
    const life = this.#ends - now;
    return { left: Math.min(idle, life), shift: life <= idle };
  }
}
