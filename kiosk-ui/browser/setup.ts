import type { TestProject } from 'vitest/node';
import { startPost, type PostAccess } from './post.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    post: PostAccess;
  }
}

/** One post serves all files; what the tests write to it goes through a small server of commands. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const post = await startPost();
  project.provide('post', post.access);
  return () => post.stop();
}
