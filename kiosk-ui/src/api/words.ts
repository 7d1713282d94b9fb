import type { components } from './wire.ts';

// The wire's words, and the values of the wire with their words narrowed. A
// word that this page does not know reads as "unknown", and no unknown lets
// anybody through: that is the rule of the post, and the page keeps to it.

type Schemas = components['schemas'];

export const results = ['unknown', 'pass', 'fail', 'not-assessable', 'not-performed'] as const;
export type Result = (typeof results)[number];

export const answers = ['unknown', 'clear', 'candidates', 'not-verified'] as const;
export type Answer = (typeof answers)[number];

export const states = ['unknown', 'collecting', 'screening', 'review', 'closed'] as const;
export type State = (typeof states)[number];

export const stepStates = ['unknown', 'pending', 'running', 'done', 'failed', 'skipped'] as const;
export type StepState = (typeof stepStates)[number];

export const fingerStates = ['unknown', 'open', 'running', 'taken', 'failed', 'excepted', 'not_taken'] as const;
export type FingerState = (typeof fingerStates)[number];

/** fingerExceptions are why a finger is not given. */
export const fingerExceptions = ['missing', 'bandaged', 'unable', 'refused'] as const;

export const findings = ['unknown', 'same_person', 'different_person', 'undecided'] as const;
export type Finding = (typeof findings)[number];

export const outcomes = ['unknown', 'admitted', 'referred', 'refused', 'abandoned', 'evacuated'] as const;
export type Outcome = (typeof outcomes)[number];

export const ages = ['unknown', 'adult', 'minor'] as const;
export type Age = (typeof ages)[number];

export const deviceStates = ['unknown', 'ready', 'lost'] as const;
export type DeviceState = (typeof deviceStates)[number];

export const links = ['unknown', 'none', 'up', 'down'] as const;
export type Link = (typeof links)[number];

/** word returns value if it is one of words, else "unknown". */
export function word<W extends string>(words: readonly W[], value: string | undefined): W | 'unknown' {
  return words.find((w) => w === value) ?? 'unknown';
}

/** never marks a switch as exhaustive: a new word does not compile until it is handled. */
export function never(value: never): never {
  throw new Error(`a word that no case handles: ${String(value)}`);
}

export type Account = Schemas['SessionInfo'];
export type Passkey = Schemas['Passkey'];
export type PasskeyCreation = Schemas['PasskeyCreation'];
export type PasskeyRequest = Schemas['PasskeyRequest'];
export type PolicyView = Schemas['PolicyView'];
export type Advice = Schemas['Advice'];
export type Candidate = Schemas['Candidate'];
export type Check = Schemas['Check'];
export type Comparison = Schemas['Comparison'];
export type Coverage = Schemas['Coverage'];
export type Decision = Schemas['Decision'];
export type Device = Schemas['DeviceInfo'];
export type Encounter = Schemas['Encounter'];
export type Finger = Schemas['FingerFacts'];
export type Evidence = Schemas['EvidenceOutputBody'];
export type KeptEvidence = Schemas['KeptEvidence'];
export type Inspection = Schemas['Inspection'];
export type Presentation = Schemas['PresentationFacts'];
export type ListState = Schemas['ListState'];
export type Counts = Schemas['Counts'];
export type Report = Schemas['Report'];
export type Reason = Schemas['Reason'];
export type Score = Schemas['Score'];
export type Step = Schemas['Step'];
export type System = Schemas['System'];
export type Declared = Schemas['Declared'];
export type Credentials = Schemas['Credentials'];
export type WireError = Schemas['ApiError'];
