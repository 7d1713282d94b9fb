import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { CDPSession } from 'playwright-core';
import { Officer } from './officer.ts';

// An officer's passkey, made and used by Chromium's own WebAuthn with a virtual
// authenticator behind it (Chrome DevTools Protocol, domain WebAuthn).

const post = inject('post');
let officer: Officer;
let devtools: CDPSession;
let authenticatorId: string;

beforeAll(async () => {
  officer = await Officer.open(post);
  devtools = await officer.context.newCDPSession(officer.page);
  await devtools.send('WebAuthn.enable');
  ({ authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  }));
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

async function account(): Promise<void> {
  await officer.page.locator('header button[aria-haspopup="dialog"]').click();
  await officer.page.getByRole('heading', { name: 'Passkeys' }).waitFor();
}

test('nobody has a passkey here: the browser finds none, and the page says what to do', async () => {
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  expect(await officer.problem('passkey.cancelled')).toContain('password');
  await officer.look('passkey-none');
});

test('made in the account menu', async () => {
  await officer.signIn();
  await officer.ready();
  await account();
  await officer.page.getByText('None yet.').waitFor();
  await officer.page.getByLabel('Name of a new passkey').fill('blue key');
  await officer.page.keyboard.press('Enter');
  await officer.page.getByText('Passkey “blue key” was added').waitFor();
  await officer.look('passkey-added');
  const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
  expect(credentials).toHaveLength(1);
  expect(credentials[0]).toMatchObject({ isResidentCredential: true, rpId: 'localhost' });
  expect(atob(credentials[0]?.userHandle ?? ''), 'the key is not told who the officer is').not.toContain(post.officer);
});

test('the same key is not taken twice', async () => {
  await officer.page.getByLabel('Name of a new passkey').fill('blue key again');
  await officer.page.keyboard.press('Enter');
  expect(await officer.problem('passkey.known')).toContain('another key');
  await officer.look('passkey-twice');
  await officer.page.getByRole('button', { name: 'Close' }).click();
});

test('signs in without name and password', async () => {
  await officer.page.getByRole('button', { name: 'Sign out' }).click();
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await officer.ready();
  await account();
  expect(await officer.page.locator('[data-passkey="blue key"]').innerText()).toContain('last used');
  await officer.page.getByRole('button', { name: 'Close' }).click();
});

test('whoever is not verified by the key does not come in', async () => {
  await officer.page.getByRole('button', { name: 'Sign out' }).click();
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await officer.problem('passkey.cancelled');
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
});

test('a copy of the key, whose counter stands lower, is refused', async () => {
  const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
  const [held] = credentials;
  if (!held) throw new Error('the key holds nothing');
  await devtools.send('WebAuthn.removeCredential', { authenticatorId, credentialId: held.credentialId });
  await devtools.send('WebAuthn.addCredential', { authenticatorId, credential: { ...held, signCount: 0 } });
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await officer.problem('passkey.refused');
  await officer.look('passkey-refused');
  await devtools.send('WebAuthn.removeCredential', { authenticatorId, credentialId: held.credentialId });
  await devtools.send('WebAuthn.addCredential', { authenticatorId, credential: { ...held, signCount: 1000 } });
});

test('removed, it opens nothing', async () => {
  await officer.signIn();
  await officer.ready();
  await account();
  await officer.page.getByRole('button', { name: 'Remove blue key' }).click();
  await officer.page.getByRole('button', { name: 'Remove it' }).click();
  await officer.page.getByText('Passkey “blue key” was removed.').waitFor();
  await officer.page.getByRole('button', { name: 'Close' }).click();
  await officer.page.getByRole('button', { name: 'Sign out' }).click();
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await officer.problem('passkey.refused');
});
