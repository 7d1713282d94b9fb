// The binary form of a preview message: device/web, operation preview.

export const headerBytes = 16;

export const frameStates = ['unknown', 'good', 'frozen', 'black', 'none'] as const;
export type FrameState = (typeof frameStates)[number];

export interface Frame {
  time: number; // ms since 1970, of the capture
  sequence: number;
  state: FrameState;
  jpeg: Uint8Array<ArrayBuffer>; // empty if there is no camera
}

/** parseFrame reads one message; undefined if it is too short. */
export function parseFrame(message: ArrayBuffer): Frame | undefined {
  if (message.byteLength < headerBytes) return undefined;
  const v = new DataView(message);
  return {
    time: Number(v.getBigUint64(0)) / 1000,
    sequence: v.getUint32(8),
    state: frameStates[v.getUint32(12)] ?? 'unknown',
    jpeg: new Uint8Array(message, headerBytes),
  };
}

/** Figures are counted over the last seconds. */
export class Figures {
  readonly span: number; // ms
  #drawn: { at: number; age: number }[] = [];

  constructor(span = 10_000) {
    this.span = span;
  }

  /** drawn notes a frame drawn at at (ms) that was age ms old then. */
  drawn(at: number, age: number): void {
    this.#drawn.push({ at, age });
    while ((this.#drawn[0]?.at ?? at) < at - this.span) this.#drawn.shift();
  }

  /** read returns frames a second and the 95th percentile of their age at the time now. */
  read(now: number): { fps: number; p95: number; frames: number; seconds: number } {
    const last = this.#drawn.filter((d) => d.at >= now - this.span);
    const ages = last.map((d) => d.age).sort((a, b) => a - b);
    const seconds = last.length === 0 ? 0 : (now - (last[0]?.at ?? now)) / 1000;
    return { fps: seconds > 0 ? last.length / seconds : 0, p95: ages[Math.ceil(ages.length * 0.95) - 1] ?? 0, frames: last.length, seconds };
  }
}

export type Coach = 'ready' | 'black' | 'frozen' | 'lost' | 'wait';

/** coach says what to change about the camera. */
export function coach(state: FrameState): Coach {
  switch (state) {
    case 'good':
      return 'ready';
    case 'frozen':
    case 'black':
      return state;
    case 'none':
      return 'lost';
    case 'unknown':
      return 'wait';
  }
}

/** adviceOf reads what the post says of the face between the frames: a text key, '' where all is well. */
export function adviceOf(message: string): string {
  const said: unknown = JSON.parse(message);
  return typeof said === 'object' && said !== null && 'advice' in said ? String(said.advice) : '';
}
