// Apollo Federation 2: composed with a foreign subgraph by two independent composers, and asked through a real router.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { composeServices } from '@apollo/composition';
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from '@apollo/gateway';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { assertCompositionSuccess, composeServices as composeByGuild } from '@theguild/federation-composition';
import { parse } from 'graphql';

import { ask, authorization, request, url } from './support/target.mjs';

// Another team's subgraph: it knows how much is spoken about our initiatives, and whose cafeteria a unit uses.
const foreign = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
  type Initiative @key(fields: "id") { id: ID! mentions: Int! }
  type OrgUnit @key(fields: "id") { id: ID! cafeteria: String! }
  type Query { mostMentioned: [Initiative!]! }
`);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let sdl;
let initiative;
let gateway;
let through;

before(async () => {
  sdl = (await ask('{ _service { sdl } }'))._service.sdl;
  const data = await ask('{ initiatives(first: 1, filter: { leadOrgUnit: { name: { ne: "" } } }) { nodes { id name leadOrgUnit { id } } } }');
  [initiative] = data.initiatives.nodes;
});
after(() => gateway?.stop());

const services = () => [
  { name: 'spil', url, typeDefs: parse(sdl) },
  { name: 'foreign', url: 'http://127.0.0.1:1/', typeDefs: foreign },
];

const entities = (representations) =>
  request(
    `query Entities($representations: [_Any!]!) {
      _entities(representations: $representations) { __typename ... on Initiative { id name } ... on OrgUnit { id } }
    }`,
    { representations },
  );

test('the schema says that it is of Federation 2', () => {
  assert.match(sdl, /@link\([^)]*specs\.apollo\.dev\/federation\/v2\./s);
  assert.match(sdl, /type Initiative[^{]*@key\(fields: "id"\)/s);
});

test('records are found by their references, in order', async () => {
  const lead = initiative.leadOrgUnit.id;
  const { data, errors } = await entities([
    { __typename: 'OrgUnit', id: lead },
    { __typename: 'Initiative', id: 'nobody' },
    { __typename: 'Initiative', id: initiative.id },
    { __typename: 'Initiative', id: lead },
  ]);
  assert.equal(errors, undefined);
  assert.deepEqual(data._entities, [
    { __typename: 'OrgUnit', id: lead },
    null,
    { __typename: 'Initiative', id: initiative.id, name: initiative.name },
    null,
  ]);
});

test('a reference to no type of ours, or without an id, is an error', async () => {
  for (const representation of [{ __typename: 'Cafeteria', id: '1' }, { __typename: 'Initiative' }, { id: '1' }, 'x', 7]) {
    const { errors } = await entities([representation]);
    assert.ok(errors?.[0]?.extensions?.code, JSON.stringify(representation));
  }
});

test('more references than a request may have are an error', async () => {
  const { errors } = await entities(Array.from({ length: 1001 }, () => ({ __typename: 'Initiative', id: initiative.id })));
  assert.ok(errors?.[0]?.extensions?.code);
});

test("Apollo's composer takes it", () => {
  const result = composeServices(services());
  assert.deepEqual(result.errors?.map((error) => error.message), undefined);
});

test("The Guild's composer takes it", () => {
  const result = composeByGuild(services());
  assert.deepEqual(result.errors?.map((error) => error.message), undefined);
  assertCompositionSuccess(result);
});

test('a router joins it with the foreign subgraph, both ways', async () => {
  const { supergraphSdl } = composeServices(services());
  const local = buildSubgraphSchema({
    typeDefs: foreign,
    resolvers: {
      Initiative: { __resolveReference: (reference) => reference, mentions: (reference) => reference.id.length },
      OrgUnit: { __resolveReference: (reference) => reference, cafeteria: () => 'north' },
      Query: { mostMentioned: () => [{ id: initiative.id }] },
    },
  });
  gateway = new ApolloGateway({
    supergraphSdl,
    logger: silent,
    buildService: ({ name, url: address }) =>
      name === 'foreign'
        ? new LocalGraphQLDataSource(local)
        : new RemoteGraphQLDataSource({
            url: address,
            willSendRequest: ({ request: { http } }) =>
              Object.entries(authorization).forEach(([header, value]) => http.headers.set(header, value)),
          }),
  });
  const { executor } = await gateway.load();
  const cache = { get: async () => undefined, set: async () => {} };
  through = async (query) => {
    const { data, errors } = await executor({
      request: { query, variables: {} },
      document: parse(query),
      schema: gateway.schema,
      context: {},
      queryHash: query,
      logger: silent,
      metrics: {},
      cache,
    });
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  };
  const outward = await through(`{ initiative(id: "${initiative.id}") { name mentions leadOrgUnit { cafeteria } } }`);
  assert.deepEqual(JSON.parse(JSON.stringify(outward)), {
    initiative: { name: initiative.name, mentions: initiative.id.length, leadOrgUnit: { cafeteria: 'north' } },
  });
  const inward = await through('{ mostMentioned { name mentions } }');
  assert.deepEqual(JSON.parse(JSON.stringify(inward)), {
    mostMentioned: [{ name: initiative.name, mentions: initiative.id.length }],
  });
});
