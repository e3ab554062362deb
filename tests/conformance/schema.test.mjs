// The schema as a piece of work: linted, and compared with the committed one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

import { introspectedSchema, lint, rulesOf, withoutFederation, withoutRegister } from './support/schema.mjs';
import { url } from './support/target.mjs';

const committed = new URL('../../services/gateway/schema.graphql', import.meta.url);
let served;
let folder;

before(async () => {
  served = await introspectedSchema();
  folder = await mkdtemp(join(tmpdir(), 'spil-schema-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('the recommended rules of graphql-eslint hold', async () => {
  const rules = rulesOf('flat/schema-recommended');
  // Types that are no records have no id: values, pages, outcomes.
  delete rules['@graphql-eslint/strict-id-in-types'];
  assert.deepEqual(await lint(withoutFederation(served), rules), []);
});

test('every record has exactly one id', async () => {
  const types = Object.values(buildSchema(served).getTypeMap());
  const records = types.filter((type) => type.getInterfaces?.().some((face) => face.name === 'Record'));
  assert.ok(records.length >= 20, `${records.length} kinds`);
  for (const type of records) {
    assert.equal(String(type.getFields().id?.type), 'ID!', type.name);
  }
});

test('the committed schema is the one that is served', async () => {
  const text = await readFile(committed, 'utf8');
  const response = await fetch(new URL('/schema.graphql', url));
  assert.equal(await response.text(), text);
  const changes = await diff(buildSchema(withoutRegister(withoutFederation(text))), buildSchema(withoutFederation(served)));
  assert.deepEqual(changes.map((change) => change.message), []);
});

// `spil schema check` and graphql-inspector are independent of each other; on these they have to agree.
const pairs = [
  ['type Query { a: Int b: Int }', 'type Query { a: Int }', true],
  ['type Query { a: Int }', 'type Query { a: Int b: Int }', false],
  ['type Query { a: Int }', 'type Query { a: Int! }', false],
  ['type Query { a: Int! }', 'type Query { a: Int }', true],
  ['type Query { a(x: Int): Int }', 'type Query { a: Int }', true],
  ['type Query { a: Int }', 'type Query { a(x: Int!): Int }', true],
  ['type Query { a: Int }', 'type Query { a(x: Int): Int }', false],
  ['type Query { a: E } enum E { A B }', 'type Query { a: E } enum E { A }', true],
  ['type Query { a: E } enum E { A }', 'type Query { a: E } enum E { A B }', false],
  ['type Query { a(x: I): Int } input I { b: Int }', 'type Query { a(x: I): Int } input I { b: Int c: Int! }', true],
  ['type Query { a(x: I): Int } input I { b: Int }', 'type Query { a(x: I): Int } input I { b: Int c: Int }', false],
  ['type Query { a: U } union U = T | S type T { b: Int } type S { b: Int }', 'type Query { a: U } union U = T type T { b: Int } type S { b: Int }', true],
  ['type Query { a: T } interface N { b: Int } type T implements N { b: Int }', 'type Query { a: T } interface N { b: Int } type T { b: Int }', true],
];

test('spil schema check and graphql-inspector agree on what breaks', async () => {
  const [before, after] = [join(folder, 'before.graphql'), join(folder, 'after.graphql')];
  for (const [old, current, breaks] of pairs) {
    await writeFile(before, old);
    await writeFile(after, current);
    const status = await new Promise((resolve) =>
      execFile(process.env.SPIL_BINARY, ['schema', 'check', '--old', before, '--new', after], (error) => resolve(error?.code ?? 0)),
    );
    const changes = await diff(buildSchema(old), buildSchema(current));
    const theirs = changes.some((change) => change.criticality.level === 'BREAKING');
    assert.deepEqual([status === 2, theirs], [breaks, breaks], `${old} -> ${current}`);
  }
});
