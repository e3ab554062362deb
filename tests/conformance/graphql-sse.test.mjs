// The client of the package `graphql-sse` in both modes, and what it leaves out, by requests of our own.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createClient } from 'graphql-sse';

import { ask, authorization, fetchWithToken, url } from './support/target.mjs';

const address = `${url}/stream`;
const absent = 'subscription { capability(id: "AAIAAAAAAAAAAAAAAAAAAAAA") { name } }';
const lasting = 'subscription { live { capabilities { totalCount } } }';

function clientOf(singleConnection) {
  return createClient({ url: address, headers: authorization, singleConnection, retryAttempts: 0 });
}

/** All answers to an operation. */
async function all(client, payload) {
  const answers = [];
  for await (const answer of client.iterate(payload)) answers.push(answer);
  return answers;
}

/** The events of a text, as names and data; comments are left out. */
function events(text) {
  return text
    .split('\n\n')
    .map((block) => Object.fromEntries([...block.matchAll(/^(event|data): ?(.*)$/gm)].map(([, name, value]) => [name, value])))
    .filter(({ event }) => event !== undefined)
    .map(({ event, data }) => [event, data ? JSON.parse(data) : undefined]);
}

function post(query, { at = address, ...init } = {}) {
  return fetchWithToken(at, {
    method: 'POST',
    body: JSON.stringify({ query }),
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    ...init,
  });
}

for (const at of [address, url]) {
  test(`a query is one event and the end, at ${new URL(at).pathname}`, async () => {
    const response = await post('{ __typename }', { at });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    assert.match(response.headers.get('cache-control'), /no-cache/);
    const [[next, { data }], end, ...rest] = events(await response.text());
    assert.deepEqual([next, data, end, rest], ['next', { __typename: 'Query' }, ['complete', undefined], []]);
  });
}

test('what is refused before it runs is told as an event', async () => {
  const response = await post('{ nope }');
  assert.equal(response.status, 200);
  const [[next, { errors }], [end]] = events(await response.text());
  assert.deepEqual([next, errors[0].extensions.code, end], ['next', 'GRAPHQL_VALIDATION_FAILED', 'complete']);
});

test('by GET there are queries and subscriptions, and no mutations', async () => {
  const get = async (query) => {
    const response = await fetchWithToken(`${address}?query=${encodeURIComponent(query)}`, {
      headers: { accept: 'text/event-stream' },
    });
    return events(await response.text());
  };
  assert.deepEqual((await get(absent)).map(([event]) => event), ['next', 'complete']);
  const before = await ask('{ skills { totalCount } }');
  const [[, { errors }]] = await get('mutation { createSkill(input: { name: "By GET" }) { stale } }');
  assert.equal(errors.length, 1);
  assert.deepEqual(await ask('{ skills { totalCount } }'), before);
});

test('nobody is let in without a token', async () => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const response = await fetch(`${address}?query={__typename}`, { method, headers: { accept: 'text/event-stream' } });
    assert.equal(response.status, 401, method);
    await response.body?.cancel();
  }
});

test('events come as they happen', async () => {
  const control = new AbortController();
  const response = await post('subscription { live { skills { totalCount } } }', { signal: control.signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const until = async (count) => {
    while (events(text.slice(0, text.lastIndexOf('\n\n') + 2)).length < count) text += (await reader.read()).value;
    return events(text).at(-1)[1].data.live.skills.totalCount;
  };
  const before = await until(1);
  await ask('mutation { createSkill(input: { name: "Rope making" }) { stale } }');
  assert.equal(await until(2), before + 1);
  control.abort();
});

for (const single of [false, true]) {
  const mode = single ? 'one connection for all' : 'a connection for each';

  test(`${mode}: queries and a subscription that ends`, async () => {
    const client = clientOf(single);
    const answers = await Promise.all([
      all(client, { query: '{ __typename }' }),
      all(client, { query: absent }),
      all(client, { query: 'query($n: Int) { capabilities(first: $n) { nodes { id } } }', variables: { n: 1 } }),
    ]);
    assert.deepEqual(answers.map((answer) => answer.length), [1, 1, 1]);
    assert.deepEqual([answers[0][0].data, answers[1][0].data], [{ __typename: 'Query' }, { capability: null }]);
    client.dispose();
  });

  test(`${mode}: a live query is left, and others go on`, async () => {
    const client = clientOf(single);
    const left = client.iterate({ query: lasting });
    const kept = client.iterate({ query: 'subscription { live { skills { totalCount } } }' });
    await left.next();
    const before = (await kept.next()).value.data.live.skills.totalCount;
    await left.return();
    await ask('mutation { createSkill(input: { name: "Bell founding" }) { stale } }');
    assert.equal((await kept.next()).value.data.live.skills.totalCount, before + 1);
    await kept.return();
    client.dispose();
  });
}

test('a reserved stream is opened once, and used by its name', async () => {
  const reserved = await fetchWithToken(address, { method: 'PUT' });
  assert.equal(reserved.status, 201);
  const name = await reserved.text();
  const control = new AbortController();
  const open = () => fetch(`${address}?token=${name}`, { headers: { accept: 'text/event-stream' }, signal: control.signal });
  const stream = await open();
  assert.equal(stream.status, 200);
  assert.equal((await open()).status, 409);

  const run = (operationId, query, headers = { 'x-graphql-event-stream-token': name }) =>
    fetchWithToken(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...headers },
      body: JSON.stringify({ query, extensions: operationId && { operationId } }),
    });
  assert.equal((await run('a', '{ nope }')).status, 400);
  assert.equal((await run(undefined, '{ __typename }')).status, 400);
  assert.equal((await run('a', lasting)).status, 202);
  assert.equal((await run('a', lasting)).status, 409);
  assert.equal((await run('b', '{ __typename }', { 'x-graphql-event-stream-token': 'nope' })).status, 404);
  const ended = await fetchWithToken(`${address}?operationId=a&token=${name}`, { method: 'DELETE' });
  assert.equal(ended.status, 200);
  assert.equal((await run('a', '{ __typename }')).status, 202);

  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!/event: complete\ndata: .*\n\n/.test(text)) text += (await reader.read()).value;
  const told = events(text);
  assert.deepEqual(told.at(-1), ['complete', { id: 'a' }]);
  assert.deepEqual([told.at(-2)[1].id, told.at(-2)[1].payload.data], ['a', { __typename: 'Query' }]);
  control.abort();
});

test('a stream that nobody reserved is not opened', async () => {
  const headers = { accept: 'text/event-stream', 'x-graphql-event-stream-token': 'nope' };
  assert.equal((await fetch(address, { headers })).status, 404);
});
