import type { Candidate, Check, Comparison, Decision, Encounter, Finger, Inspection, Presentation, Step } from './words.ts';

// What the post tells over the events websocket. The kinds are those of
// device/encounter/events.schema.json; a test holds the two together.

export interface Progress {
  step: string;
  stage: string;
  done: number;
  total: number;
}

/** Challenge is what the person is to be shown, lead_ms after the event. */
export interface Challenge {
  kind: string;
  steps: { cue: string; millis: number }[];
  lead_ms: number;
  display: string;
  try: number;
  of: number;
  draw: number;
}

interface Payloads {
  'encounter.opened': Encounter;
  'encounter.resumed': Encounter;
  'step.changed': Step;
  'step.progress': Progress;
  'finger.changed': Finger;
  'inspection.ready': Inspection;
  'comparison.done': { checks: Check[] | null; comparison?: Comparison };
  'screening.started': Record<string, never>;
  'answer.ready': Encounter;
  'candidate.late': { closed: boolean; opened: string; candidate: Candidate };
  'candidate.adjudicated': Candidate[] | null;
  'encounter.outcome': Decision;
  'challenge.drawn': Challenge;
  'presentation.judged': Presentation;
  'device.changed': { id: string; kind: string; state: string; code?: string };
}

export type EventKind = keyof Payloads;

export const eventKinds: readonly EventKind[] = [
  'encounter.opened',
  'encounter.resumed',
  'step.changed',
  'step.progress',
  'finger.changed',
  'inspection.ready',
  'comparison.done',
  'screening.started',
  'answer.ready',
  'candidate.late',
  'candidate.adjudicated',
  'encounter.outcome',
  'device.changed',
  'challenge.drawn',
  'presentation.judged',
];

/** PostEvent is one event; data is absent once its encounter is closed. */
export type PostEvent = {
  [K in EventKind]: { seq: number; time: string; encounter?: string; kind: K; data?: Payloads[K] };
}[EventKind];

/** parseEvent reads one message; undefined for a kind that this page does not know. */
export function parseEvent(message: string): PostEvent | undefined {
  const raw: unknown = JSON.parse(message);
  if (typeof raw !== 'object' || raw === null || !('kind' in raw) || !('seq' in raw)) return undefined;
  return eventKinds.some((k) => k === raw.kind) ? (raw as PostEvent) : undefined;
}
