// The Relay server specification: linted, compiled by the real compiler, and tried.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { introspectedSchema, lint, rulesOf } from './support/schema.mjs';
import { ask, request, url } from './support/target.mjs';

const run = promisify(execFile);
let sdl;
let folder;

before(async () => {
  sdl = await introspectedSchema();
  folder = await mkdtemp(join(tmpdir(), 'spil-relay-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('the rules of graphql-eslint for Relay hold', async () => {
  const rules = rulesOf('flat/schema-relay');
  // Short lists are plain lists; the specification does not ask that every list is a connection.
  rules['@graphql-eslint/relay-edge-types'] = ['error', { listTypeCanWrapOnlyEdgeType: false }];
  assert.deepEqual(await lint(sdl, rules), []);
});

test('relay-compiler compiles an application with pages, refetches and a mutation', async () => {
  await mkdir(join(folder, 'src', '__generated__'), { recursive: true });
  // The file that users are pointed to, directives and all.
  const committed = await (await fetch(new URL('/schema.graphql', url))).text();
  await writeFile(join(folder, 'schema.graphql'), committed);
  await writeFile(
    join(folder, 'src', 'Board.js'),
    `graphql\`query BoardQuery($count: Int!) { ...Board_initiatives @arguments(count: $count) }\`;
graphql\`
  fragment Board_initiatives on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "BoardPageQuery") {
    initiatives(first: $count, after: $cursor, filter: { usesAi: { eq: true } }, orderBy: [{ field: NAME }])
    @connection(key: "Board_initiatives") {
      edges { node { id ...Board_card } }
    }
  }
\`;
graphql\`fragment Board_card on Initiative @refetchable(queryName: "BoardCardQuery") { id name stage version }\`;
graphql\`
  mutation BoardRenameMutation($input: UpdateInitiativeInput!) {
    updateInitiative(input: $input) {
      initiative { ...Board_card }
      userErrors { __typename message path ... on VersionConflict { currentVersion } }
    }
  }
\`;
`,
  );
  const config = { src: './src', schema: './schema.graphql', language: 'javascript', artifactDirectory: './src/__generated__' };
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify(config));
  const compiler = join(import.meta.dirname, 'node_modules', '.bin', 'relay-compiler');
  await run(compiler, ['relay.config.json'], { cwd: folder });
  for (const name of ['BoardQuery', 'BoardPageQuery', 'BoardCardQuery', 'BoardRenameMutation']) {
    await access(join(folder, 'src', '__generated__', `${name}.graphql.js`));
  }
});

const page = async (list, options) => {
  const data = await ask(
    `query Page($first: Int, $after: String, $last: Int, $before: String) {
      ${list}(first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { __typename id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }`,
    options,
  );
  return data[list];
};
const ids = (connection) => connection.edges.map((edge) => edge.node.id);

test('every record can be fetched again by its id', async () => {
  for (const list of ['capabilities', 'workers', 'initiatives', 'skills']) {
    const { __typename, id } = (await page(list, { first: 1 })).edges[0].node;
    const { node } = await ask('query Node($id: ID!) { node(id: $id) { __typename id } }', { id });
    assert.deepEqual(node, { __typename, id });
  }
});

test('an id that nobody has leads to null', async () => {
  assert.deepEqual(await ask('{ node(id: "bm8tc3VjaC1pZA") { id } }'), { node: null });
});

test('pages forward and backward are the same list', async () => {
  const whole = ids(await page('workers', { first: 200 }));
  assert.equal(new Set(whole).size, whole.length);
  const walk = async (size, forward) => {
    const found = [];
    let cursor;
    for (;;) {
      const options = forward ? { first: size, after: cursor } : { last: size, before: cursor };
      const part = await page('workers', options);
      assert.ok(part.edges.length <= size);
      forward ? found.push(...ids(part)) : found.unshift(...ids(part));
      assert.equal(part.pageInfo.startCursor, part.edges[0]?.cursor ?? null);
      assert.equal(part.pageInfo.endCursor, part.edges.at(-1)?.cursor ?? null);
      if (!(forward ? part.pageInfo.hasNextPage : part.pageInfo.hasPreviousPage)) return found;
      cursor = forward ? part.pageInfo.endCursor : part.pageInfo.startCursor;
    }
  };
  assert.deepEqual(await walk(7, true), whole);
  assert.deepEqual(await walk(9, false), whole);
});

test('what is reached and what is found can be paged both ways', async () => {
  const [{ id }] = (await ask('{ initiatives(first: 1, filter: { capabilities: { count: { gt: 0 } } }) { nodes { id } } }')).initiatives.nodes;
  for (const field of [`reach(from: ["${id}"], depth: 2,`, 'search(text: "customer",']) {
    const part = async (options) => {
      const data = await ask(`{ part: ${field} ${options}) { edges { cursor node { __typename id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`);
      return data.part;
    };
    const whole = await part('first: 100');
    assert.ok(whole.edges.length >= 6, field);
    const cursors = whole.edges.map((edge) => edge.cursor);
    const first = await part('first: 3');
    assert.deepEqual(ids(first), ids(whole).slice(0, 3), field);
    assert.equal(first.pageInfo.hasNextPage, true);
    const after = await part(`first: 2, after: "${cursors[1]}"`);
    assert.deepEqual(ids(after), ids(whole).slice(2, 4), field);
    const before = await part(`last: 2, before: "${cursors[4]}"`);
    assert.deepEqual(ids(before), ids(whole).slice(2, 4), field);
    assert.deepEqual([before.pageInfo.hasNextPage, before.pageInfo.hasPreviousPage], [true, true], field);
    const between = await part(`first: 100, after: "${cursors[0]}", before: "${cursors[5]}"`);
    assert.deepEqual(ids(between), ids(whole).slice(1, 5), field);
    const crossed = await part(`first: 100, after: "${cursors[4]}", before: "${cursors[1]}"`);
    assert.deepEqual(ids(crossed), [], field);
  }
});

test('nonsense in the arguments of a connection is an error', async () => {
  for (const argument of ['first: -1', 'last: -1', 'first: 2, after: "nonsense!"', 'last: 2, before: "nonsense!"']) {
    const answer = await request(`{ capabilities(${argument}) { edges { cursor } } }`);
    assert.ok(answer.errors?.[0].extensions.code, argument);
  }
  assert.deepEqual(await ask('{ capabilities(first: 0) { edges { cursor } } }'), { capabilities: { edges: [] } });
});
