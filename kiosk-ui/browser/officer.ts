import { AxeBuilder } from '@axe-core/playwright';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { expect, type RunnerTestCase } from 'vitest';
import type { PostAccess } from './post.ts';

// An officer at the page: what a person does with eyes and keyboard.

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const shots = process.env['WATCHPOST_SHOTS'] ?? mkdtempSync(join(tmpdir(), 'watchpost-shots-'));
mkdirSync(shots, { recursive: true });

/** pinned is the flag by which the browser knows the post's own certificate: one with certificate errors makes no passkeys. */
function pinned(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
      socket.end();
      if (key) resolve(`--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`);
      else reject(new Error('the post has no certificate'));
    });
    socket.once('error', reject);
  });
}

/** Who is an account of the bench. */
export type Who = 'officer' | 'colleague' | 'supervisor';

export class Officer {
  readonly page: Page;
  readonly #post: PostAccess;
  readonly #context: BrowserContext;
  readonly errors: string[] = [];

  private constructor(page: Page, context: BrowserContext, post: PostAccess) {
    this.page = page;
    this.#context = context;
    this.#post = post;
    page.on('pageerror', (e) => this.errors.push(e.message));
  }

  /** open starts a browser of its own on the page. */
  static async open(post: PostAccess, size = { width: 1280, height: 800 }): Promise<Officer> {
    const profile = mkdtempSync(join(tmpdir(), 'watchpost-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [...flags, await pinned(post.url)],
      viewport: size,
    });
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(25_000);
    const officer = new Officer(page, context, post);
    await page.goto(post.url);
    await page.getByRole('heading', { level: 1 }).waitFor();
    return officer;
  }

  async close(): Promise<void> {
    await this.#context.close();
    expect(this.errors, 'errors of the page itself').toEqual([]);
  }

  /** failed keeps a picture of what was on the screen when a test failed, and its words for the last words of the run. */
  async failed({ meta, result }: RunnerTestCase): Promise<void> {
    if (result?.state !== 'fail') return;
    const words: string[] = [];
    for (const [i, page] of this.#context.pages().entries()) {
      // A page that cannot be looked at any more must not keep the hooks after this one from tidying up.
      const seen = page.locator('body').innerText().catch(String);
      await page.screenshot({ path: join(shots, `failed-${i}.png`) }).catch(() => undefined);
      words.push(((await seen) || 'nothing').replace(/\s+/g, ' ').slice(0, 400));
    }
    meta.screen = [meta.screen ?? [], words].flat().join(' | ');
  }

  get context(): BrowserContext {
    return this.#context;
  }

  /** on is the same officer at another window of the same browser. */
  on(page: Page): Officer {
    page.setDefaultTimeout(25_000);
    return new Officer(page, this.#context, this.#post);
  }

  async signIn(password?: string, who: Who = 'officer'): Promise<void> {
    const p = this.#post;
    const known = { officer: [p.officer, p.password], colleague: [p.colleague, p.colleague_password], supervisor: [p.supervisor, p.supervisor_password] } as const;
    await this.page.getByLabel('Officer').fill(known[who][0]);
    await this.page.getByLabel('Password').fill(password ?? known[who][1]);
    await this.page.keyboard.press('Enter');
  }

  async ready(): Promise<void> {
    await this.page.getByRole('heading', { name: 'Next person' }).waitFor();
    await this.page.locator('button.start:enabled').waitFor(); // the purposes have come
  }

  /** begin starts an encounter. */
  async begin(papers: boolean, age: 'Adult' | 'Minor' | 'Not known' = 'Not known'): Promise<void> {
    await this.ready();
    await this.page.getByLabel(papers ? 'Has a passport' : 'Without papers').check();
    await this.page.getByLabel(age, { exact: true }).check();
    await this.page.keyboard.press('F2');
    await this.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
  }

  /** press presses a function key once its button can be used: a key for one that cannot is lost. */
  async press(key: string): Promise<void> {
    await this.page.locator(`[data-key="${key}"]:enabled`).first().waitFor();
    await this.page.keyboard.press(key);
  }

  /** typeFields types what stands on the data page: number, birth, expiry. */
  async typeFields(mrz: string): Promise<void> {
    const [number = '', birth = '', expiry = ''] = mrz.split(',');
    await this.page.getByLabel('Document number').fill(number);
    await this.page.getByLabel('Date of birth').fill(birth);
    await this.page.getByLabel('Date of expiry').fill(expiry);
    await this.press('F2');
  }

  async takeFace(): Promise<void> {
    await this.press('F4');
  }

  /** reviewed waits for the verdict and returns its tone and title. */
  async reviewed(): Promise<{ tone: string; title: string; cards: Record<string, string> }> {
    const verdict = this.page.locator('main header[data-tone]');
    await verdict.waitFor();
    const cards: Record<string, string> = {};
    for (const card of await this.page.locator('[data-card]').all()) cards[(await card.getAttribute('data-card')) ?? ''] = (await card.getAttribute('data-tone')) ?? '';
    return { tone: (await verdict.getAttribute('data-tone')) ?? '', title: await verdict.getByRole('heading').innerText(), cards };
  }

  /** decide presses an outcome, gives a reason and records it. */
  async decide(outcome: string, reason = ''): Promise<void> {
    await this.page.locator(`button[data-outcome="${outcome}"]`).click();
    const dialog = this.page.getByRole('dialog');
    if (reason !== '') await dialog.locator('#decide-reason').fill(reason);
    await this.page.keyboard.press('F2');
  }

  /** second signs as the supervisor in the form that is open. */
  async second(): Promise<void> {
    await this.page.getByLabel('Second officer', { exact: true }).fill(this.#post.supervisor);
    await this.page.getByLabel('Password of the second officer').fill(this.#post.supervisor_password);
    await this.page.keyboard.press('F2');
  }

  async closed(outcome: string): Promise<void> {
    await this.page.locator(`section[data-outcome="${outcome}"]`).waitFor();
  }

  async next(): Promise<void> {
    await this.page.keyboard.press('F2');
    await this.ready();
  }

  async abandon(): Promise<void> {
    await this.decide('abandoned', 'the test is done with it');
    await this.closed('abandoned');
    await this.next();
  }

  /** linkIs waits until the bar says so of the link to central; somebody is there, so that the page asks the post. */
  async linkIs(says: string): Promise<void> {
    await this.page.mouse.click(2, 2);
    await this.page.locator('header li').filter({ hasText: 'Link' }).filter({ hasText: says }).waitFor({ timeout: 60_000 });
  }

  /** problem waits for the message of a code and returns its words. */
  async problem(code: string): Promise<string> {
    const told = this.page.locator(`[data-code="${code}"]`);
    await told.waitFor();
    return told.innerText();
  }

  /** look takes a screenshot, and has axe look at the screen by WCAG 2.2 A and AA. */
  async look(name: string): Promise<void> {
    await this.page.screenshot({ path: join(shots, `${name}.png`) });
    const { violations } = await new AxeBuilder({ page: this.page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
    const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`);
    expect(found, `axe on ${name}`).toEqual([]);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
    // WCAG 2.2 asks for 24 px; fingers in gloves want 48.
    const small = await this.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('button, input:not([type=radio], [type=checkbox]), select, summary, .choice label')]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 47.5)
        .map((e) => `${e.tagName} ${e.innerText}`),
    );
    expect(small, `targets under 48 px on ${name}`).toEqual([]);
  }
}

export const shotsDir = shots;
