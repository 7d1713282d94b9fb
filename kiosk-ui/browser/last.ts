import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

// The last words of a run that failed: which tests, in the order in which they
// failed, and of the first one what went wrong and what was on the screen. A
// log is often read from its end, and what failed later often follows from the
// first.

declare module 'vitest' {
  interface TaskMeta {
    screen?: string; // words on the page when the test failed
  }
}

interface Failure {
  at: number; // ms since 1970
  name: string;
  error: string;
  screen: string;
}

const said = (errors: ReadonlyArray<{ message: string; stack?: string }>): string => {
  const plain = (errors[0]?.message ?? 'no error said').replace(/\u001b\[[0-9;]*m/g, '').replace(/\s+/g, ' ');
  const line = /\/(?:browser|central)\/[^():]*\.test\.ts:\d+/.exec(errors[0]?.stack ?? '')?.[0] ?? '';
  return `${plain.slice(0, 300)} ${line}`;
};

const ended = (t: TestCase): number => (t.diagnostic()?.startTime ?? 0) + (t.diagnostic()?.duration ?? 0);

function failures(modules: ReadonlyArray<TestModule>): Failure[] {
  const all: Failure[] = [];
  let latest = 0; // end of what ran so far: hooks have no times of their own, files come in the order in which they ran
  for (const m of modules) {
    const file = m.relativeModuleId.split('/').at(-1) ?? '';
    for (const t of m.children.allTests()) latest = Math.max(latest, ended(t));
    for (const t of m.children.allTests('failed')) {
      all.push({ at: ended(t), name: `${file}: ${t.name}`, error: said(t.result().errors ?? []), screen: t.meta().screen ?? '' });
    }
    for (const s of [m, ...m.children.allSuites()]) {
      const errors = s.errors();
      if (errors.length > 0) all.push({ at: latest, name: `${file}: before or after its tests`, error: said(errors), screen: '' });
    }
  }
  return all.sort((a, b) => a.at - b.at);
}

export default class LastWords implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    const all = failures(modules);
    const [first] = all;
    if (unhandled[0]) console.error(`\nnot of a test: ${said(unhandled)}`);
    if (!first) return;
    const names = all.slice(0, 12).map((f) => f.name.slice(0, 60)).join('; ');
    console.error(`\n${all.length} failed: ${names}\nthe first: ${first.name}\n  ${first.error}\n  on the screen: ${first.screen}`);
  }
}
