import { never, results, word, answers, stepStates, states, findings } from '../api/words.ts';
import type { Check, Encounter, Result } from '../api/words.ts';
import { has, text, textOf } from '../texts/texts.ts';

// The verdict for people: one headline, one card a question. A layman has to
// see within seconds what failed and what it means; the checks behind each
// card stay one step away for an expert. Nothing is decided here: what the
// policy weighs comes with the advice, the words follow it.

/** Tone: go = proven; note = said, does not hinder; look = an officer has to look; stop = something is wrong; wait = not there yet. */
export type Tone = 'go' | 'note' | 'look' | 'stop' | 'wait';

export const cardNames = ['document', 'chip', 'holder', 'live', 'dates', 'lists'] as const;
export type CardName = (typeof cardNames)[number];

export interface Card {
  name: CardName;
  tone: Tone;
  title: string; // the finding in a few words
  says: string; // what it means
  checks: Check[]; // behind it, heaviest first
}

export interface Headline {
  tone: Tone;
  title: string;
  next: string; // what to do
}

/** cardOf tells to which question a check belongs. */
export function cardOf(code: string): CardName {
  const [part = ''] = code.split('.');
  switch (part) {
    case 'portrait':
      return 'holder';
    case 'chip':
    case 'active':
    case 'pace':
    case 'access':
    case 'terminal':
    case 'card_access':
      return 'chip';
    case 'mrz':
    case 'seal':
      return 'dates';
    case 'document':
      return code === 'document.expiry' ? 'dates' : 'document';
    default: // sod, ds, csca, dgN, dg, com, card_security, and what is to come
      return 'document';
  }
}

/** toneOf weighs one check: by the advice where there is one, else by the result alone. */
export function toneOf(check: Check, e: Encounter): Tone {
  const result: Result = word(results, check.result);
  const refers = e.advice?.reasons?.some((r) => r.source === 'check' && r.code === check.code && r.severity === 'refer');
  switch (result) {
    case 'pass':
      return 'go';
    case 'fail':
      return refers === false ? 'look' : 'stop';
    case 'not-assessable':
      return refers === false ? 'note' : 'look';
    case 'not-performed':
      return refers ? 'look' : 'note';
    case 'unknown':
      return 'look';
    default:
      return never(result);
  }
}

const order: readonly Tone[] = ['stop', 'look', 'wait', 'note', 'go'];

/** worst is the heaviest of tones. */
export function worst(tones: readonly Tone[]): Tone {
  return order.find((t) => tones.includes(t)) ?? 'wait';
}

// Which of several failures explains the others: a broken signature before
// what follows from it, the portrait before other groups.
const telling = ['sod.signature', 'ds.chain', 'ds.revocation', 'dg2.hash', 'dg1.hash', 'ds.country', 'sod.format', 'portrait.match', 'portrait.decode', 'document.expiry'];

function sorted(checks: readonly Check[], e: Encounter): Check[] {
  const rank = (c: Check): number => {
    const at = telling.indexOf(c.code);
    return order.indexOf(toneOf(c, e)) * 100 + (at < 0 ? telling.length : at);
  };
  return [...checks].sort((a, b) => rank(a) - rank(b));
}

/** saying is the sentence for people of a check, by its reason if there is one. */
export function saying(check: Check): string {
  const reason = check.reason.split(':')[0] ?? '';
  const family = check.code.replace(/^dg\d+\./, 'dgN.');
  const keys = [check.code, family].flatMap((c) => [`say.${c}.${check.result}.${reason}`, `say.${c}.${check.result}`]);
  return textOf(keys, 'say.other', { check: checkTitle(check.code), result: textOf([`result.${check.result}`], 'result.unknown') });
}

/** checkTitle names a check for people. */
export function checkTitle(code: string): string {
  const n = /^dg(\d+)\./.exec(code)?.[1] ?? '';
  return textOf([`check.${code}`, `check.${code.replace(/^dg\d+\./, 'dgN.')}`], 'check.other', { n, code });
}

/** reasonText says a check's reason in words, or gives it as it is. */
export function reasonText(reason: string): string {
  if (reason === '') return '';
  const [head = '', ...rest] = reason.split(': ');
  if (!has(`reason.${head}`)) return reason;
  return textOf([`reason.${head}`], 'say.other') + (rest.length > 0 ? ` (${rest.join(': ')})` : '');
}

const proofs = ['chip.authentication', 'active.authentication', 'pace.cam'];

function documentCard(name: CardName, e: Encounter): Card {
  const checks = sorted((e.inspection?.checks ?? []).filter((c) => cardOf(c.code) === name), e);
  let tone = worst(checks.map((c) => toneOf(c, e)));
  let telltale = checks[0];
  if (name === 'chip' && tone !== 'stop') {
    // One proof of the three is enough; without any the chip may be a copy.
    telltale = checks.find((c) => proofs.includes(c.code) && c.result === 'pass');
    if (telltale) tone = tone === 'look' ? 'look' : 'go';
    else if (tone !== 'look') tone = 'note';
  } else if (tone === 'note' && checks.some((c) => c.result === 'pass') && name !== 'holder') {
    // Notes do not hinder (policy): what was proven is proven.
    tone = 'go';
  }
  const says = tone === 'stop' || tone === 'look' ? (checks[0] ? saying(checks[0]) : '') : textOf([`card.${name}.${tone}.says`], 'card.none.says');
  return { name, tone, title: textOf([`card.${name}.${tone}`], 'card.none'), says, checks };
}

function holderCard(e: Encounter): Card {
  const card = documentCard('holder', e);
  if (card.tone === 'go' && e.comparison && !e.comparison.vouched) {
    // The faces match, but nobody vouches for the portrait: that proves nothing.
    return { ...card, tone: 'look', title: text('card.holder.unvouched'), says: text('card.holder.unvouched.says') };
  }
  return card;
}

/** liveCard is what came of the live check. */
function liveCard(check: Check, e: Encounter): Card {
  const result = word(results, check.result);
  const says = capital(text(result === 'not-performed' ? `performed.${result}` : `result.${result}`));
  const skipped = (e.steps ?? []).find((s) => s.name === 'presentation' && word(stepStates, s.state) === 'skipped')?.code;
  const reason = skipped ?? reasonText(check.reason);
  return { name: 'live', tone: toneOf(check, e), title: text('step.presentation'), says: reason === '' ? `${says}.` : text('say.other', { check: says, result: reason }), checks: [check] };
}

function listsCard(e: Encounter): Card {
  const base = { name: 'lists' as const, checks: [] };
  const candidates = e.candidates ?? [];
  const open = candidates.filter((c) => word(findings, c.finding) === 'unknown').length;
  const same = candidates.some((c) => word(findings, c.finding) === 'same_person');
  const undecided = candidates.some((c) => word(findings, c.finding) === 'undecided');
  if (same) return { ...base, tone: 'stop', title: text('card.lists.same'), says: text('card.lists.same.says') };
  if (open > 0) return { ...base, tone: 'stop', title: text(open === 1 ? 'card.lists.one' : 'card.lists.many', { n: open }), says: text('card.lists.open.says') };
  if (undecided) return { ...base, tone: 'look', title: text('card.lists.undecided'), says: text('card.lists.undecided.says') };
  const missing = (e.missing ?? []).map(missingText).join(' ');
  const answer = word(answers, e.answer);
  switch (answer) {
    case 'clear':
      return { ...base, tone: 'go', title: text('card.lists.clear'), says: text('card.lists.clear.says') };
    case 'candidates': // all found to be others
      return missing === ''
        ? { ...base, tone: 'go', title: text('card.lists.others'), says: text('card.lists.others.says') }
        : { ...base, tone: 'look', title: text('card.lists.unverified'), says: missing };
    case 'not-verified':
      return { ...base, tone: 'look', title: text('card.lists.unverified'), says: missing === '' ? text('card.lists.unverified.says') : missing };
    case 'unknown': // before the answer it is awaited; after it, nothing is known
      return ['collecting', 'screening'].includes(e.state)
        ? { ...base, tone: 'wait', title: text('card.lists.wait'), says: text('card.lists.wait.says') }
        : { ...base, tone: 'look', title: text('card.lists.unverified'), says: text('card.lists.unverified.says') };
    default:
      return never(answer);
  }
}

/** missingText says what keeps an answer from being clear: "face: age_unknown", "central: source.deadline". */
export function missingText(missing: string): string {
  const at = missing.indexOf(': ');
  const [what, why] = at < 0 ? ['', missing] : [missing.slice(0, at), missing.slice(at + 2)];
  const who = textOf([`source.${what}`], 'source.other', { name: what });
  const says = textOf([`missing.${what}.${why}`, `missing.${why}`, `missing.${why.split(' ').at(-1) ?? ''}`], 'missing.other', { what: who, why });
  return capital(says);
}

function capital(says: string): string {
  return says.charAt(0).toLocaleUpperCase() + says.slice(1);
}

/** cards are the questions that this encounter answers. */
export function cards(e: Encounter): Card[] {
  const step = (e.steps ?? []).find((s) => s.name === 'document');
  const skippedFace = (e.steps ?? []).some((s) => s.name === 'face' && word(stepStates, s.state) === 'skipped');
  const out: Card[] = [];
  if (e.inspection) {
    out.push(documentCard('document', e), documentCard('chip', e), documentCard('dates', e));
    out.push(holderCard(e));
  } else if (!step) {
    out.push({ name: 'document', tone: 'note', title: text('card.document.without'), says: text('card.document.without.says'), checks: [] });
  } else if (word(stepStates, step.state) === 'skipped') {
    out.push({ name: 'document', tone: 'look', title: text('card.document.skipped'), says: text('card.document.skipped.says', { reason: step.code ?? '' }), checks: [] });
  }
  if (skippedFace) {
    const at = out.findIndex((c) => c.name === 'holder');
    const card: Card = { name: 'holder', tone: 'look', title: text('card.holder.skipped'), says: text('card.holder.skipped.says'), checks: at < 0 ? [] : (out[at]?.checks ?? []) };
    if (at < 0) out.push(card);
    else out[at] = card;
  }
  if (e.presentation && e.advice) out.push(liveCard(e.presentation.check, e));
  out.push(listsCard(e));
  return out;
}

/** headline is the one line on top. Only a clear advice in review says go. */
export function headline(e: Encounter, all: readonly Card[] = cards(e)): Headline {
  const state = word(states, e.state);
  switch (state) {
    case 'collecting':
      return { tone: 'wait', title: text('headline.collecting'), next: text('headline.collecting.next') };
    case 'screening':
      return { tone: 'wait', title: text('headline.screening'), next: text('headline.screening.next') };
    case 'unknown':
      return { tone: 'look', title: text('headline.refer'), next: text('headline.refer.next') };
    case 'review':
    case 'closed':
      break;
    default:
      return never(state);
  }
  const heaviest = (tone: Tone): Card | undefined => {
    const rank: readonly CardName[] = ['document', 'lists', 'chip', 'holder', 'live', 'dates'];
    return rank.flatMap((n) => all.filter((c) => c.name === n)).find((c) => c.tone === tone);
  };
  const card = heaviest('stop') ?? heaviest('look');
  if (card) {
    const keys = [`headline.${card.name}.${card.tone}`];
    if (card.name === 'document' && !e.inspection) keys.unshift('headline.document.skipped');
    const lists = card.name === 'lists' ? (e.candidates ?? []).some((c) => word(findings, c.finding) === 'same_person') : false;
    if (lists) keys.unshift('headline.lists.same');
    const document = card.checks[0]?.code;
    if (document) keys.unshift(`headline.${document}.${card.checks[0]?.result ?? ''}`);
    const key = keys.find(has) ?? 'headline.refer';
    return { tone: card.tone, title: textOf([key], 'headline.refer'), next: textOf([`${key}.next`, `headline.${card.name}.${card.tone}.next`], 'headline.refer.next') };
  }
  if (e.advice?.clear === true) return { tone: 'go', title: text('headline.clear'), next: text('headline.clear.next') };
  return { tone: 'look', title: text('headline.refer'), next: text('headline.refer.next') };
}
