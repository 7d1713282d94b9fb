import { language, text } from './texts.ts';

/** ageOf writes seconds as the officer says it: "3 h". */
export function ageOf(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return text('time.moments');
  if (minutes < 60) return text('time.minutes', { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return text('time.hours', { n: hours });
  return text('time.days', { n: Math.floor(hours / 24) });
}

/** countdown writes seconds as a clock that runs out: "1:05". */
export function countdown(seconds: number): string {
  const s = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}

const clockForm = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });
const dayForm = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone: 'UTC' });

/** timeOf writes a moment of the wire in local time. */
export function timeOf(wire: string): string {
  const t = new Date(wire);
  return Number.isNaN(t.getTime()) ? wire : clockForm.format(t);
}

/** dayOf writes a day. */
export function dayOf(day: Date): string {
  return dayForm.format(day);
}
