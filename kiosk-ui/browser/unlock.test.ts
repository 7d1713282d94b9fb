import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { CDPSession } from 'playwright-core';
import { Officer } from './officer.ts';

// A hardware key that unlocks the post: Chromium's own WebAuthn with the prf
// extension, a virtual authenticator with hmac-secret behind it, and the real
// vault of the bench.

const post = inject('post');
let officer: Officer;
let devtools: CDPSession;

async function addKey(hasPrf: boolean): Promise<string> {
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'usb',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      hasPrf,
    },
  });
  return authenticatorId;
}

/** lock locks the post as "watchpost keys lock" does. */
function lock(): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: post.admin_socket, path: '/v1/keys/lock', method: 'POST' }, (answer) => {
      answer.resume();
      answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`locking was answered ${answer.statusCode}`))));
    });
    call.once('error', reject);
    call.end();
  });
}

async function account(): Promise<void> {
  await officer.page.locator('header button[aria-haspopup="dialog"]').click();
  await officer.page.getByRole('heading', { name: 'Passkeys' }).waitFor();
  await officer.page.getByRole('dialog').locator('[data-passkey]').or(officer.page.getByText('None yet.')).first().waitFor(); // before it is listed what there is, none is made
}

async function make(name: string): Promise<void> {
  await officer.page.getByLabel('Name of a new passkey').fill(name);
  await officer.page.keyboard.press('Enter');
  await officer.page.getByText(`Passkey “${name}” was added`).waitFor();
  await officer.page.locator(`[data-passkey="${name}"]`).getByRole('button', { name: 'Let it unlock the post' }).click();
}

beforeAll(async () => {
  officer = await Officer.open(post);
  devtools = await officer.context.newCDPSession(officer.page);
  await devtools.send('WebAuthn.enable');
  await officer.signIn();
  await officer.ready();
  await account();
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

test('a key that has no secrets to give is refused, and the page says why', async () => {
  const authenticatorId = await addKey(false);
  await make('old key');
  expect(await officer.problem('passkey.no_secret')).toContain('another key');
  await officer.page.getByRole('button', { name: 'Remove old key' }).click();
  await officer.page.getByRole('button', { name: 'Remove it' }).click();
  await officer.page.getByText('Passkey “old key” was removed.').waitFor();
  await devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
});

test('a key of today is set up in the account menu', async () => {
  await addKey(true);
  await make('desk key');
  await officer.page.getByText('Passkey “desk key” unlocks this post now.').waitFor();
  await officer.page.locator('[data-passkey="desk key"]').getByText('unlocks the post').waitFor();
  await officer.look('passkey-unlocks');
  await officer.page.getByRole('button', { name: 'Close' }).click();
});

test('it unlocks the post and signs the officer in, without a name or a password', async () => {
  await officer.page.getByRole('button', { name: 'Sign out' }).click();
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  await lock();
  await officer.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await officer.ready();
  await officer.linkIs('connected'); // the files after this one ask central
});

test('removed, it unlocks nothing any more', async () => {
  await account();
  await officer.page.getByRole('button', { name: 'Remove desk key' }).click();
  await officer.page.getByRole('button', { name: 'Remove it' }).click();
  await officer.page.getByText('Passkey “desk key” was removed.').waitFor();
  const keys = await officer.page.evaluate(async () => (await fetch('/v1/keys/hardware')).status);
  expect(keys, 'an open post has nothing to tell about keys').toBe(404);
});
