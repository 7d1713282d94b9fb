import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// A post of the bench (hwtest up --post): real daemon, real capture processes,
// a virtual passport behind pcscd and a camera of pictures.

/** PostAccess is how a test reaches the post. */
export interface PostAccess {
  url: string;
  officer: string;
  password: string;
  supervisor: string;
  supervisor_password: string;
  colleague: string; // another officer
  colleague_password: string;
  admin_socket: string;
  state: string; // folder
  bench: string; // address that puts persons at the post: GET bench/a
}

/** Standing is who stands at the post. */
export interface Standing {
  person: string;
  title: string;
  mrz?: string;
}

const root = new URL('../..', import.meta.url).pathname;
const bin = process.env['WATCHPOST_BIN'] ?? join(root, 'bin');
const startLimit = 180_000; // ms, of a machine under load
const answerLimit = 90_000; // ms: an answer that comes after it would be taken for that of the next person

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export async function startPost(): Promise<{ access: PostAccess; stop: () => Promise<void> }> {
  const listen = `127.0.0.1:${await freePort()}`; // the usual port may be another post's by the time that this one is up
  // An answer may take five seconds: a machine that stands still does not make it another one. How quick it is, bin/hwtest measure answer tells.
  const child = spawn(join(bin, 'hwtest'), ['up', '--post', '--second-officer', '--answer-within', '5s', '--bin', bin, '--faces', '2000', '--documents', '2000', '--listen', listen], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A post stays when nobody types any more: a run that is broken off takes it along.
  const orphan = (): void => void child.kill('SIGTERM');
  process.once('exit', orphan);
  let said = '';
  child.stderr.on('data', (d: Buffer) => (said += d.toString()));
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (e) => reject(new Error(`hwtest up --post: ${e.message}; make build puts it into bin/`)));
    child.once('exit', (code) => reject(new Error(`hwtest up --post ended with ${code}:\n${said.slice(-4000)}`)));
  });
  ended.catch(() => undefined); // told to whoever waits for a line
  const lines: string[] = [];
  let wake: () => void = () => undefined;
  createInterface({ input: child.stdout }).on('line', (l) => {
    lines.push(l);
    wake();
  });
  const next = async <T>(limit: number): Promise<T> => {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`the post says nothing:\n${said.slice(-4000)}`)), limit).unref());
    while (lines.length === 0) await Promise.race([new Promise<void>((resolve) => (wake = resolve)), ended, late]);
    return JSON.parse(lines.shift() ?? '') as T;
  };
  const access = await next<Omit<PostAccess, 'bench'>>(startLimit);
  await next<Standing>(answerLimit);

  // Taking a passport away is told on standard error only.
  const takenAway = async (): Promise<object> => {
    const before = said.length;
    const late = Date.now() + answerLimit;
    while (!said.slice(before).includes('taken away')) {
      if (Date.now() > late) throw new Error(`no passport was taken away:\n${said.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return {};
  };

  // Test files run in workers of their own: they ask for persons over HTTP.
  const server = createServer((request, response) => {
    child.stdin.write(`${(request.url ?? '/').slice(1)}\n`);
    const answer = request.url === '/x' ? takenAway() : next<Standing>(answerLimit);
    answer.then((a) => response.end(JSON.stringify(a))).catch((e: unknown) => response.writeHead(500).end(String(e)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bench = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const stop = async (): Promise<void> => {
    server.close();
    child.removeAllListeners('exit');
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.stdin.write('q\n');
    const timer = setTimeout(() => child.kill('SIGTERM'), 20_000);
    await gone;
    clearTimeout(timer);
    process.off('exit', orphan);
  };
  return { access: { ...access, bench }, stop };
}

/** put places a person before the camera and their passport on the reader. */
export async function put(post: PostAccess, letter: 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'i'): Promise<Standing> {
  const response = await fetch(`${post.bench}/${letter}`);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Standing;
}

/** link cuts the link to central, has it stall, or restores it. */
export async function link(post: PostAccess, what: 'cut' | 'stall' | 'restore'): Promise<void> {
  const response = await fetch(`${post.bench}/${what}`);
  if (!response.ok) throw new Error(await response.text());
}

/** takeAway takes the passport off the reader. */
export async function takeAway(post: PostAccess): Promise<void> {
  const response = await fetch(`${post.bench}/x`);
  if (!response.ok) throw new Error(await response.text());
}
