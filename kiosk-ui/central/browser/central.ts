import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// A real central with its broker, its private PostgreSQL and its page, and the
// machines of two operators, each a folder with a key.

const root = new URL('../../..', import.meta.url).pathname;
const bin = process.env['WATCHPOST_BIN'] ?? join(root, 'bin');
const startLimit = 120_000; // ms, of a machine under load

export const password = 'four words nobody guesses';

export class Central {
  readonly url: string;
  readonly #dir: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(url: string, dir: string, child: ReturnType<typeof spawn>) {
    this.url = url;
    this.#dir = dir;
    this.#child = child;
  }

  /** start brings one up; more are further flags of serve. */
  static async start(...more: string[]): Promise<Central> {
    const dir = mkdtempSync(join(tmpdir(), 'watchpost-admin-'));
    chmodSync(dir, 0o711); // PostgreSQL's account passes through
    const file = (name: string, text: string): void => writeFileSync(join(dir, name), text, { mode: 0o600 });
    file('pass', 'of the browser test');
    file('password', password);
    const state = ['--state', join(dir, 'state'), '--passphrase-file', join(dir, 'pass')];
    execFileSync(join(bin, 'watchpost-central'), ['init', ...state]);
    const child = spawn(join(bin, 'watchpost-central'), ['serve', ...state, '--listen', '127.0.0.1:0', '--page', '127.0.0.1:0', '--metrics=', ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    process.once('exit', () => void child.kill('SIGTERM')); // a run that is broken off takes it along
    let said = '';
    child.stderr.on('data', (d: Buffer) => (said += d.toString()));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('error', (e) => reject(new Error(`watchpost-central: ${e.message}; make build puts it into bin/`)));
      child.once('exit', (code) => reject(new Error(`watchpost-central ended with ${code}:\n${said.slice(-4000)}`)));
      setTimeout(() => reject(new Error(`central says nothing:\n${said.slice(-4000)}`)), startLimit).unref();
    });
    const central = new Central((JSON.parse(line) as { page: string }).page, dir, child);
    for (const name of ['anna', 'boris']) {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      mkdirSync(join(dir, name));
      writeFileSync(join(central.machine(name), `${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      central.command('operator', 'add', name, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64'));
      central.command('operator', 'password', name, '--password-file', join(dir, 'password'));
    }
    central.command('operator', 'add', 'adam', '--role', 'administrator', '--password-file', join(dir, 'password'));
    central.command('operator', 'add', 'dora', '--role', 'auditor', '--password-file', join(dir, 'password'));
    return central;
  }

  /** machine is the folder of an operator's own machine. */
  machine(name: string): string {
    return join(this.#dir, name);
  }

  /** command runs watchpost-central beside the running central. */
  command(...args: string[]): string {
    return execFileSync(join(bin, 'watchpost-central'), [...args, '--state', join(this.#dir, 'state')], { encoding: 'utf8' });
  }

  /** run does what somebody types at their own machine. */
  run(name: string, line: string): void {
    execFileSync('sh', ['-eu', '-c', line], { cwd: this.machine(name), env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }, stdio: ['ignore', 'ignore', 'ignore'] });
  }

  /** request is what a new box shows: its request and the code to compare. */
  request(post: string): { request: string; code: string } {
    const box = join(this.#dir, 'box');
    const flags = ['--state', box, '--passphrase-file', join(this.#dir, 'pass')];
    execFileSync(join(bin, 'watchpost'), ['keys', 'init', ...flags]);
    return JSON.parse(execFileSync(join(bin, 'watchpost'), ['keys', 'request', '--post', post, ...flags], { encoding: 'utf8' })) as { request: string; code: string };
  }

  /** sql writes what posts would have told. */
  sql(text: string): void {
    execFileSync('psql', ['-v', 'ON_ERROR_STOP=1', '-q', '-c', text, `host=${join(this.#dir, 'state/pg')} user=watchpost dbname=postgres`]);
  }

  async stop(): Promise<void> {
    this.#child.removeAllListeners('exit');
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGTERM');
    await gone;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
