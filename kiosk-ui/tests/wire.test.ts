import { readFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as words from '../src/api/words.ts';

const description = new URL('../../device/web/openapi.yaml', import.meta.url);

interface Schema {
  enum?: string[];
  properties?: Record<string, Schema>;
}
const schemas = (parse(readFileSync(description, 'utf8')) as { components: { schemas: Record<string, Schema> } }).components.schemas;

test('the types of the wire are those of the published description: npm run wire', async () => {
  const checkedIn = readFileSync(new URL('../src/api/wire.ts', import.meta.url), 'utf8');
  const ast = await openapiTS(description);
  expect(checkedIn.endsWith(astToString(ast))).toBe(true);
}, 20_000);

test('so are the words', () => {
  const of = (schema: string, property: string): string[] => schemas[schema]?.properties?.[property]?.enum ?? [];
  expect(of('Encounter', 'state')).toEqual([...words.states]);
  expect(of('Encounter', 'answer')).toEqual([...words.answers]);
  expect(of('Encounter', 'age')).toEqual([...words.ages]);
  expect(of('Step', 'state')).toEqual([...words.stepStates]);
  expect(of('Check', 'result')).toEqual([...words.results]);
  expect(of('Candidate', 'finding')).toEqual([...words.findings]);
  expect(of('Decision', 'outcome')).toEqual([...words.outcomes]);
  expect(words.links).toEqual(expect.arrayContaining(of('System', 'link')));
  expect(words.deviceStates).toEqual(expect.arrayContaining(of('DeviceInfo', 'state')));
});
