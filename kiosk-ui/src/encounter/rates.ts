import { count, text } from '../texts/texts.ts';

// Error rates in words. A layman reads "1 in 100,000", not "1e-05", and never
// more digits than a calibration can carry.

/** Rates below this are not told apart: no calibration of ours was measured further (FMR 1e-8). */
const finest = 1e-8;

/**
 * oneIn writes a rate (0 to 1) as "1 in N", N rounded down to one digit so that
 * the words never claim more than was measured. 0 is "not a rate".
 */
export function oneIn(rate: number): string {
  if (!Number.isFinite(rate) || rate < 0) return text('rate.unknown');
  if (rate === 0) return text('rate.exact');
  if (rate < finest) return text('rate.below', { n: count(1 / finest) });
  if (rate > 0.5) return text('rate.chance');
  const n = 1 / rate + 1e-9;
  const step = 10 ** Math.floor(Math.log10(n));
  return text('rate.one_in', { n: count(Math.floor(n / step + 1e-9) * step) });
}
