// Function keys press the button that carries their name in data-key, so that
// what a key does is always visible on the button itself. Letters are left
// alone (WCAG 2.2, 2.1.4).

const ours = /^F[1-8]$/;

/** press carries out a function key; true if a button took it. */
export function press(event: KeyboardEvent): boolean {
  if (!ours.test(event.key) || event.altKey || event.ctrlKey || event.metaKey) return false;
  event.preventDefault(); // F1, F3, F5 and F6 are the browser's otherwise
  if (event.repeat) return false; // a key that is held is pressed once
  const scope: ParentNode = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document; // the one on top was opened last
  const named = `[data-key="${event.key}"]`;
  // Of several candidates' buttons, that of the form one is in.
  const target = document.activeElement?.closest('form')?.querySelector<HTMLElement>(named) ?? [...scope.querySelectorAll<HTMLElement>(named)].find((e) => e.checkVisibility());
  if (!target || (target instanceof HTMLButtonElement && target.disabled)) return false;
  target.focus();
  if (target instanceof HTMLButtonElement || target.tagName === 'SUMMARY') target.click();
  return true;
}
