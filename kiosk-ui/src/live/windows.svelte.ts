// Several windows of one browser may show the same encounter. They tell each
// other, so that an officer who wonders why the page moves by itself knows.

type Message = { kind: 'asks' | 'shows'; encounter: string; from: string };

/** Windows knows whether another window of this browser shows the same encounter, and showed it first. */
export class Windows {
  also = $state(false);
  readonly #id = crypto.randomUUID();
  readonly #channel = new BroadcastChannel('watchpost');
  #shown = '';

  constructor() {
    this.#channel.onmessage = (m: MessageEvent<Message>) => {
      const { kind, encounter, from } = m.data;
      if (encounter !== this.#shown || encounter === '' || from === this.#id) return;
      if (kind === 'asks') this.#say('shows');
      else this.also = true;
    };
  }

  /** show notes which encounter this window shows, '' for none. */
  show(encounter: string): void {
    if (encounter === this.#shown) return;
    this.#shown = encounter;
    this.also = false;
    if (encounter !== '') this.#say('asks');
  }

  #say(kind: Message['kind']): void {
    this.#channel.postMessage({ kind, encounter: this.#shown, from: this.#id } satisfies Message);
  }
}
