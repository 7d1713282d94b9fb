import { never, type Encounter, type Step } from '../api/words.ts';
import type { PostEvent } from '../api/events.ts';

/** Applied is what an event made of the encounter that is shown. */
export interface Applied {
  encounter: Encounter;
  /** The event does not carry all that changed: read the encounter again. */
  stale: boolean;
}

/**
 * apply returns the encounter after an event. Events of other encounters and
 * events without data change nothing. It never alters its argument.
 */
export function apply(encounter: Encounter, event: PostEvent): Applied {
  const same: Applied = { encounter, stale: false };
  if (event.encounter !== encounter.id) return same;
  if (event.data === undefined) return { encounter, stale: true };
  switch (event.kind) {
    case 'encounter.opened':
    case 'encounter.resumed':
    case 'answer.ready':
      return { encounter: event.data, stale: false };
    case 'step.changed':
      // What is known of a face comes by no event.
      return { encounter: { ...encounter, steps: withStep(encounter.steps ?? [], event.data) }, stale: event.data.name === 'face' && event.data.state === 'done' };
    case 'finger.changed': {
      const finger = event.data;
      return { encounter: { ...encounter, fingers: (encounter.fingers ?? []).map((f) => (f.position === finger.position ? finger : f)) }, stale: false };
    }
    case 'presentation.judged':
      return { encounter: { ...encounter, presentation: event.data }, stale: false };
    case 'inspection.ready':
      return { encounter: { ...encounter, inspection: event.data }, stale: false };
    case 'comparison.done': {
      const { checks, comparison } = event.data;
      const next: Encounter = { ...encounter };
      if (comparison) next.comparison = comparison;
      if (encounter.inspection) {
        const fresh = checks ?? [];
        const kept = (encounter.inspection.checks ?? []).filter((c) => !fresh.some((f) => f.code === c.code));
        next.inspection = { ...encounter.inspection, checks: [...kept, ...fresh] };
      }
      return { encounter: next, stale: false };
    }
    case 'screening.started':
      // An answer to a call may have been quicker, and told of the verdict already.
      return encounter.state === 'collecting' ? { encounter: { ...encounter, state: 'screening' }, stale: false } : same;
    case 'candidate.adjudicated': // the advice changed with it
      return { encounter: { ...encounter, candidates: event.data }, stale: true };
    case 'candidate.late':
    case 'encounter.outcome':
      return { encounter, stale: true };
    case 'step.progress':
    case 'challenge.drawn':
    case 'device.changed':
      return same;
    default:
      return never(event);
  }
}

function withStep(steps: readonly Step[], step: Step): Step[] {
  return steps.some((s) => s.name === step.name) ? steps.map((s) => (s.name === step.name ? step : s)) : [...steps, step];
}
