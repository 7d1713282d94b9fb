import { text, textOf, has } from '../texts/texts.ts';
import type { WireError } from './words.ts';

/** Failure is whatever kept a call from succeeding, in the post's one error form. */
export class Failure extends Error {
  readonly code: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly status: number; // HTTP, 0 if the post did not answer

  constructor(code: string, status: number, hint = '', retryable = false) {
    super(code);
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.retryable = retryable;
  }

  /** The session is gone: sign in, then go on where it stopped. */
  get signedOut(): boolean {
    return this.status === 401 && this.code.startsWith('session.');
  }
}

/** Told is a failure for people. */
export interface Told {
  title: string;
  todo: string;
  code: string;
}

/** tell says a code in words: what happened and what to do. The post's own hint stands in where there is no text. */
export function tell(code: string, hint = ''): Told {
  const part = code.split('.')[0] ?? '';
  const title = textOf([`error.${code}`, `error.${part}`], 'error.generic');
  let todo = textOf([`error.${code}.do`], 'error.generic.do');
  if (!has(`error.${code}.do`)) todo = hint !== '' ? sentence(hint) : textOf([`error.${part}.do`], 'error.generic.do');
  return { title, todo, code: text('failure.code', { code }) };
}

function sentence(hint: string): string {
  const s = hint.charAt(0).toUpperCase() + hint.slice(1);
  return /[.!?]$/.test(s) ? s : `${s}.`;
}

/** wireError reports whether a body is the one error form. */
export function wireError(body: unknown): body is WireError {
  return typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string';
}

/** failureOf turns anything thrown into a Failure. */
export function failureOf(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure('network', 0, '', true);
}
