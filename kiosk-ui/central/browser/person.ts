import { AxeBuilder } from '@axe-core/playwright';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { password, type Central } from './central.ts';

// Somebody at central's page: what a person does with eyes and keyboard.

const shots = process.env['WATCHPOST_SHOTS'] ?? mkdtempSync(join(tmpdir(), 'watchpost-shots-'));
mkdirSync(shots, { recursive: true });

export const browser = (): Promise<Browser> =>
  chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

export class Person {
  readonly page: Page;
  readonly #central: Central;
  readonly name: string;
  readonly #errors: string[] = [];

  private constructor(page: Page, central: Central, name: string) {
    this.page = page;
    this.#central = central;
    this.name = name;
    page.setDefaultTimeout(40_000);
    page.on('pageerror', (e) => this.#errors.push(e.message));
  }

  /** open starts a browser of its own on the page; nobody is signed in. */
  static async open(b: Browser, central: Central, name: string): Promise<Person> {
    const context = await b.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, acceptDownloads: true });
    const person = new Person(await context.newPage(), central, name);
    await person.page.goto(central.url);
    await person.page.getByRole('heading', { name: 'Administration of central' }).waitFor();
    return person;
  }

  async signIn(word = password): Promise<void> {
    await this.page.getByLabel('Name').fill(this.name);
    await this.page.getByLabel('Password').fill(word);
    await this.page.keyboard.press('Enter');
  }

  async go(view: string, heading: string): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link', { name: view, exact: true }).click();
    await this.page.getByRole('heading', { name: heading, exact: true }).waitFor();
  }

  /** sign saves what the page offers, runs the command that it shows at the person's machine, and hands the file in. */
  async sign(title: string, code = ''): Promise<void> {
    const card = this.page.locator('[data-proposal]').filter({ hasText: title });
    await card.getByText('Sign and hand in').click();
    const [download] = await Promise.all([this.page.waitForEvent('download'), card.locator('a[download]').first().click()]);
    const machine = this.#central.machine(this.name);
    await download.saveAs(join(machine, download.suggestedFilename()));
    const command = await card.locator('[data-command]').innerText();
    this.#central.run(this.name, command);
    if (code !== '') await card.getByLabel('Code that the box shows').fill(code);
    await this.hand(title, join(machine, command.split('> ')[1]?.trim() ?? ''));
  }

  /** hand gives a file to the form of a proposal that is open. */
  async hand(title: string, file: string): Promise<void> {
    const card = this.page.locator('[data-proposal]').filter({ hasText: title });
    await card.getByLabel('Signature file').setInputFiles(file);
    await card.getByRole('button', { name: 'Hand in' }).click();
  }

  async said(words: string): Promise<void> {
    await this.page.locator('[data-said]').filter({ hasText: words }).waitFor();
  }

  async problem(code: string): Promise<string> {
    const told = this.page.locator(`[data-code="${code}"]`);
    await told.waitFor();
    return told.innerText();
  }

  /** look takes a screenshot, has axe look by WCAG 2.2 A and AA, and measures targets and width. */
  async look(name: string): Promise<void> {
    await this.page.screenshot({ path: join(shots, `central-${name}.png`), fullPage: true });
    const { violations } = await new AxeBuilder({ page: this.page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`), `axe on ${name}`).toEqual([]);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
    const small = await this.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('button, nav a, input:not([type=radio], [type=checkbox]), select, summary, .choice label')]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 47.5)
        .map((e) => `${e.tagName} ${e.innerText}`),
    );
    expect(small, `targets under 48 px on ${name}`).toEqual([]);
  }

  async failed(did: boolean): Promise<void> {
    if (did) await this.page.screenshot({ path: join(shots, `central-failed-${this.name}.png`), fullPage: true });
  }

  async close(): Promise<void> {
    await this.page.context().close();
    expect(this.#errors, 'errors of the page itself').toEqual([]);
  }
}
