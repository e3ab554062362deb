// The client of the package `graphql-ws`, and what the protocol says that a good client never does, by frames of our own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { CloseCode, createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { ask, authorization, token, url } from './support/target.mjs';

const address = url.replace(/^http/, 'ws');
const absent = 'subscription { capability(id: "AAIAAAAAAAAAAAAAAAAAAAAA") { name } }';
const lasting = 'subscription { live { capabilities { totalCount } } }';

// What a test has left open would keep the process alive.
const clients = [];
const sockets = [];
after(async () => {
  await Promise.all(clients.map((client) => client.dispose()));
  sockets.forEach((socket) => socket.terminate());
});

class TrackedWebSocket extends WebSocket {
  constructor(...options) {
    super(...options);
    sockets.push(this);
  }
}

function clientOf(options = {}) {
  const client = createClient({
    url: address,
    webSocketImpl: TrackedWebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
    ...options,
  });
  clients.push(client);
  return client;
}

/** All answers to an operation. */
async function all(client, payload) {
  const answers = [];
  for await (const answer of client.iterate(payload)) answers.push(answer);
  return answers;
}

/** A bare socket: `say` sends, `heard` waits for a message, `closed` for the end. */
async function bare(protocol = 'graphql-transport-ws', headers = {}) {
  const socket = new TrackedWebSocket(address, protocol, { headers });
  const messages = [];
  let wake = () => {};
  socket.on('message', (data) => {
    messages.push(JSON.parse(data));
    wake();
  });
  const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: `${reason}` })));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    socket,
    closed,
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async heard(type) {
      for (;;) {
        const at = messages.findIndex((message) => message.type === type);
        if (at >= 0) return messages.splice(at, 1)[0];
        await Promise.race([
          new Promise((resolve) => (wake = resolve)),
          closed.then(({ code, reason }) => Promise.reject(new Error(`closed with ${code} ${reason}`))),
        ]);
      }
    },
  };
}

async function ready() {
  const peer = await bare();
  peer.say({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
  await peer.heard('connection_ack');
  return peer;
}

test('a query', async () => {
  const client = clientOf();
  assert.deepEqual((await all(client, { query: '{ __typename }' })).map(({ data }) => data), [{ __typename: 'Query' }]);
  await client.dispose();
});

test('a query with variables, by the name of its operation', async () => {
  const client = clientOf();
  const query = 'query A { __typename } query B($n: Int!) { capabilities(first: $n) { nodes { id } } }';
  const [{ data }] = await all(client, { query, operationName: 'B', variables: { n: 2 } });
  assert.equal(data.capabilities.nodes.length, 2);
  await client.dispose();
});

test('a request that is refused fails with its errors', async () => {
  const client = clientOf();
  for (const query of ['{ nope }', '{', 'subscription { nope }']) {
    await assert.rejects(all(client, { query }), (errors) => errors[0].extensions.code.startsWith('GRAPHQL_'));
  }
  await client.dispose();
});

test('a subscription that ends by itself', async () => {
  const client = clientOf();
  assert.deepEqual((await all(client, { query: absent })).map(({ data }) => data), [{ capability: null }]);
  await client.dispose();
});

test('a live query tells of a change, and stops when it is left', async () => {
  const client = clientOf();
  const answers = client.iterate({ query: 'subscription { live { skills { totalCount } } }' });
  const { value } = await answers.next();
  const before = value.data.live.skills.totalCount;
  await ask('mutation { createSkill(input: { name: "Glass blowing" }) { skill { id } } }');
  const { value: after } = await answers.next();
  assert.equal(after.data.live.skills.totalCount, before + 1);
  await answers.return();
  await client.dispose();
});

test('changes are resumed where they were left', async () => {
  const create = (name) => ask('mutation($name: String!) { createSkill(input: { name: $name }) { skill { id } } }', { name });
  const client = clientOf();
  const query = 'subscription($after: String) { changes(kinds: [SKILL], after: $after) { cursor record { ... on Skill { name } } } }';
  const first = client.iterate({ query, variables: { after: (await consistency()) } });
  await create('Basket making');
  const { value } = await first.next();
  assert.equal(value.data.changes.record.name, 'Basket making');
  await first.return();
  await create('Book binding');
  const second = client.iterate({ query, variables: { after: value.data.changes.cursor } });
  assert.equal((await second.next()).value.data.changes.record.name, 'Book binding');
  await second.return();
  await client.dispose();
});

async function consistency() {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ __typename }' }),
  });
  return (await response.json()).extensions.consistency;
}

test('many operations share one socket', async () => {
  let sockets = 0;
  const client = clientOf({ on: { opened: () => sockets++ } });
  const stay = client.iterate({ query: lasting });
  await stay.next();
  const answers = await Promise.all(Array.from({ length: 20 }, () => all(client, { query: '{ __typename }' })));
  assert.ok(answers.every(([{ data }]) => data.__typename === 'Query'));
  assert.equal(sockets, 1);
  await stay.return();
  await client.dispose();
});

test('a bad token is forbidden', async () => {
  for (const payload of [undefined, {}, { Authorization: 'Bearer nonsense' }, { token: 'nonsense' }]) {
    const peer = await bare();
    peer.say({ type: 'connection_init', payload });
    assert.equal((await peer.closed).code, CloseCode.Forbidden);
  }
});

test('the protocol has to be spoken', async () => {
  // A client that asked for another protocol gives up by itself where none is chosen.
  const outcome = bare('graphql-ws').then(({ closed }) => closed, () => ({ code: CloseCode.SubprotocolNotAcceptable }));
  assert.equal((await outcome).code, CloseCode.SubprotocolNotAcceptable);
  assert.equal((await ready()).socket.protocol, 'graphql-transport-ws');
});

test('pings are answered, before and after the start', async () => {
  for (const peer of [await bare(), await ready()]) {
    peer.say({ type: 'ping', payload: { at: 7 } });
    assert.deepEqual(await peer.heard('pong'), { type: 'pong', payload: { at: 7 } });
    peer.say({ type: 'pong' });
    peer.say({ type: 'ping' });
    assert.deepEqual(await peer.heard('pong'), { type: 'pong' });
    peer.socket.terminate();
  }
});

test('nothing follows an operation that the client ended, and its name is free', async () => {
  const peer = await ready();
  const subscribe = (query) => peer.say({ id: 'a', type: 'subscribe', payload: { query } });
  subscribe(lasting);
  await peer.heard('next');
  peer.say({ id: 'a', type: 'complete' });
  subscribe('{ __typename }');
  assert.equal((await peer.heard('next')).payload.data.__typename, 'Query');
  assert.deepEqual(await peer.heard('complete'), { id: 'a', type: 'complete' });
  peer.socket.terminate();
});

const request = { query: '{ __typename }' };
for (const [name, message] of [
  ['no JSON', '{'],
  ['no object', '[]'],
  ['no type', {}],
  ['an unknown type', { type: 'nope' }],
  ['a message of the older protocol', { id: '1', type: 'start', payload: request }],
  ['no name', { type: 'subscribe', payload: request }],
  ['no payload', { id: '1', type: 'subscribe' }],
  ['no document', { id: '1', type: 'subscribe', payload: {} }],
  ['variables that are no object', { id: '1', type: 'subscribe', payload: { ...request, variables: 'x' } }],
]) {
  test(`bad request: ${name}`, async () => {
    const peer = await ready();
    peer.say(message);
    const { code, reason } = await peer.closed;
    assert.equal(code, CloseCode.BadRequest);
    assert.ok(reason.length > 0);
  });
}

test('an operation before the start is unauthorized', async () => {
  const peer = await bare();
  peer.say({ id: '1', type: 'subscribe', payload: request });
  assert.equal((await peer.closed).code, CloseCode.Unauthorized);
});

test('a second start is one too many', async () => {
  const peer = await ready();
  peer.say({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
  assert.equal((await peer.closed).code, CloseCode.TooManyInitialisationRequests);
});

test('a name is used once at a time', async () => {
  const peer = await ready();
  for (let i = 0; i < 2; i++) peer.say({ id: 'twice', type: 'subscribe', payload: { query: lasting } });
  const { code, reason } = await peer.closed;
  assert.equal(code, CloseCode.SubscriberAlreadyExists);
  assert.match(reason, /twice/);
});

test('who says nothing is closed', async () => {
  const peer = await bare();
  assert.equal((await peer.closed).code, CloseCode.ConnectionInitialisationTimeout);
});
