// A front end without a screen: pages through a board, renames a card, loses a race, and sees the change come by itself.
import assert from 'node:assert/strict';

import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { pipe, subscribe } from 'wonka';
import WebSocket from 'ws';

import { read } from '../gql/index.js';
import type { CardFragment } from '../gql/graphql.js';
import { Board, Card, Rename, Watch } from './documents.js';

const { SPIL_TARGET: url, SPIL_TOKEN: token } = process.env;
assert.ok(url && token, 'SPIL_TARGET and SPIL_TOKEN say where the server is');

const socket = createClient({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
});
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  exchanges: [
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
      }),
    }),
    fetchExchange,
  ],
});

async function board(): Promise<readonly CardFragment[]> {
  const cards: CardFragment[] = [];
  let after: string | undefined;
  for (;;) {
    const { data, error } = await client.query(Board, { first: 5, after, filter: { name: { ne: '' } } }).toPromise();
    assert.equal(error, undefined, String(error));
    assert.ok(data);
    cards.push(...read(Card, data.initiatives.nodes));
    assert.ok(cards.length <= data.initiatives.totalCount);
    if (!data.initiatives.pageInfo.hasNextPage) {
      assert.equal(cards.length, data.initiatives.totalCount);
      return cards;
    }
    after = data.initiatives.pageInfo.endCursor ?? undefined;
  }
}

/** The cards that the server sends by itself, until told to stop. */
function watch(id: string): { cards: CardFragment[]; until: (name: string) => Promise<void>; stop: () => void } {
  const cards: CardFragment[] = [];
  const waiting: (() => void)[] = [];
  const { unsubscribe } = pipe(
    client.subscription(Watch, { id }),
    subscribe(({ data, error }) => {
      assert.equal(error, undefined, String(error));
      const card = data?.initiative ? read(Card, data.initiative) : undefined;
      if (card) cards.push(card);
      waiting.splice(0).forEach((wake) => wake());
    }),
  );
  const until = async (name: string): Promise<void> => {
    const limit = Date.now() + 20_000;
    while (cards.at(-1)?.name !== name) {
      const left = limit - Date.now();
      assert.ok(left > 0, `waited in vain for ${name}; seen ${cards.map((card) => card.name).join(', ')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  };
  return { cards, until, stop: unsubscribe };
}

const [first] = await board();
assert.ok(first?.name);
const seen = watch(first.id);
await seen.until(first.name);

const renamed = `${first.name} (renamed)`;
const done = await client.mutation(Rename, { input: { id: first.id, expectedVersion: first.version, name: renamed } }).toPromise();
const payload = done.data?.updateInitiative;
assert.ok(payload, String(done.error));
assert.deepEqual(payload.userErrors, []);
assert.equal(read(Card, payload.initiative)?.name, renamed);
await seen.until(renamed);
seen.stop();

const late = await client.mutation(Rename, { input: { id: first.id, expectedVersion: first.version, name: 'too late' } }).toPromise();
const [problem] = late.data?.updateInitiative?.userErrors ?? [];
assert.equal(problem?.__typename, 'VersionConflict');
assert.equal(problem.currentVersion, first.version + 1);
assert.deepEqual(problem.fields, ['name']);

const again = await board();
assert.equal(again.find((card) => card.id === first.id)?.name, renamed);
await socket.dispose();
console.log(`client: ${again.length} cards, ${seen.cards.length} sent by the server`);
