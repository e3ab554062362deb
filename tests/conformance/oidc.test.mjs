// The package `oidc-provider`, a real OpenID provider, as an issuer of tokens: by client credentials, while its keys change.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { createClient } from 'graphql-ws';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';
import WebSocket from 'ws';

const AUDIENCE = 'urn:spil:conformance';
/** How soon a key is to be taken after it was published. */
const ROTATION_LIMIT_MS = 5000;
const SECRET = 'conformance-secret';

let issuer;
let handler;
let keys;
let provider;
let running;
const asked = { jwks: 0 };

async function newKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${Math.random().toString(36).slice(2)}` };
}

/** Lets the provider publish these keys, and sign with the first that fits. */
function publish(published) {
  keys = published;
  const issuing = new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: ['conformance'] },
    scopes: ['openid', 'read', 'write'],
    ttl: { ClientCredentials: 600 },
    clients: ['RS256', 'PS256', 'ES256'].map((alg) => ({
      client_id: alg,
      client_secret: SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource, client) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: client.clientId } },
        }),
      },
    },
  });
  handler = issuing.callback();
}

/** An access token by client credentials. */
async function token({ alg = 'RS256', scope = 'read write', resource = AUDIENCE } = {}) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${alg}:${SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource }),
  });
  const answer = await response.json();
  assert.ok(answer.access_token, JSON.stringify(answer));
  return answer.access_token;
}

/** Starts the binary in a folder of its own, with one issuer that it trusts. */
async function start(trusted, environment = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'spil-oidc-'));
  // What speaks to this suite is no setting of the binary.
  const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SPIL_')));
  const issuers = `[{issuer="${trusted}", audiences=["${AUDIENCE}"], algorithms=["RS256", "ES256"]}]`;
  const flags = ['--data', folder, '--listen', '127.0.0.1:0', '--grpc-listen', '127.0.0.1:0'];
  const server = spawn(process.env.SPIL_BINARY, ['serve', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...bare, ...environment, SPIL_ISSUERS: issuers },
  });
  const ended = once(server, 'exit');
  let log = '';
  const graphql = await new Promise((resolve, reject) => {
    ended.then(() => reject(new Error(`the binary ended:\n${log}`)));
    server.stderr.on('data', (piece) => {
      log += piece;
      const address = log.match(/GraphQL is answered at (http:\S+)/)?.[1];
      if (address) resolve(address);
    });
  });
  const ready = new URL('/readyz', graphql);
  while (!(await fetch(ready)).ok) await new Promise((resolve) => setTimeout(resolve, 50));
  const stop = async () => {
    server.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return { graphql, stop, log: () => log };
}

function ask(bearer, query = '{ __typename }', at = running.graphql) {
  return fetch(at, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
}

async function status(bearer, query) {
  return (await ask(bearer, query)).status;
}

/** Waits until a token is answered with a status. Gives the milliseconds that it took. */
async function until(bearer, wanted, limit) {
  const from = Date.now();
  for (;;) {
    const found = await status(bearer);
    const took = Date.now() - from;
    if (found === wanted) return took;
    assert.ok(took < limit, `${found} after ${took} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

before(async () => {
  provider = createServer((request, response) => {
    if (request.url === '/jwks') asked.jwks += 1;
    handler(request, response);
  });
  await once(provider.listen(0, '127.0.0.1'), 'listening');
  issuer = `http://127.0.0.1:${provider.address().port}`;
  publish([await newKey('RS256'), await newKey('ES256'), await newKey('PS256')]);
  running = await start(issuer);
});

after(async () => {
  await running?.stop();
  provider?.closeAllConnections();
  provider?.close();
});

test('tokens by the algorithms of the settings are taken', async () => {
  for (const alg of ['RS256', 'ES256']) {
    const response = await ask(await token({ alg }), '{ skills { totalCount } }');
    assert.deepEqual([response.status, await response.json().then(({ data }) => data)], [200, { skills: { totalCount: 0 } }], alg);
  }
  assert.equal(await status(await token({ alg: 'PS256' })), 401, 'the provider has a key for it, the settings have not');
});

test('what a token does not allow is told as RFC 6750 says', async () => {
  const write = 'mutation { createSkill(input: { name: "x" }) { stale } }';
  const refused = await ask(await token({ scope: 'openid' }), write);
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get('www-authenticate'), /^Bearer realm="spil", error="insufficient_scope"/);
  assert.equal(await status(await token(), write), 200);
  const elsewhere = await ask(await token({ resource: 'urn:spil:other' }));
  assert.equal(elsewhere.status, 401);
  assert.match(elsewhere.headers.get('www-authenticate'), /error="invalid_token", error_description="the token is not for this service"/);
});

test('a socket is opened with such a token', async () => {
  const client = createClient({
    url: running.graphql.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
  });
  const answers = [];
  for await (const answer of client.iterate({ query: '{ __typename }' })) answers.push(answer.data);
  assert.deepEqual(answers, [{ __typename: 'Query' }]);
  await client.dispose();
});

test('keys are rotated while it runs', async () => {
  const old = await token();
  assert.equal(await status(old), 200);
  publish([await newKey('RS256'), ...keys]);
  const newer = await token();
  const took = await until(newer, 200, ROTATION_LIMIT_MS);
  assert.equal(await status(old), 200, 'the old key is still published');
  // The old key is withdrawn. That is known with the next fetch, which a key that is not known causes.
  publish([await newKey('RS256'), keys[0]]);
  await until(await token(), 200, ROTATION_LIMIT_MS);
  assert.equal(await status(old), 401, 'though it was taken a moment ago');
  assert.equal(await status(newer), 200);
  console.log(`a new key is taken after ${took} ms`);
});

test('many keys that nobody knows cause few requests', async () => {
  const [head, body, signature] = (await token()).split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url'));
  const before = asked.jwks;
  const answers = { 401: 0, 503: 0 };
  for (let number = 0; number < 30; number += 1) {
    const named = Buffer.from(JSON.stringify({ ...header, kid: `unknown ${number}` })).toString('base64url');
    const response = await ask(`${named}.${body}.${signature}`);
    answers[response.status] += 1;
    if (response.status === 503) assert.match(response.headers.get('retry-after'), /^[1-9]$/, 'it may be known in a moment');
  }
  // The first names are waited for, each until the next fetch; beyond a few it is said at once that it is not known yet.
  assert.equal(answers[401] + answers[503], 30, JSON.stringify(answers));
  assert.ok(answers[401] > 0 && answers[503] >= 15, JSON.stringify(answers));
  assert.ok(asked.jwks - before <= 10, `${asked.jwks - before} requests`);
});

test('a provider that is away keeps nobody out', async () => {
  const bearer = await token();
  await until(bearer, 200, ROTATION_LIMIT_MS);
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
  assert.equal(await status(bearer), 200);
});

test('keys come over TLS from whom the system trusts, and from nobody else', async () => {
  const pem = (name) => readFile(new URL(`../fixtures/keys/${name}`, import.meta.url));
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  let name;
  const secure = createSecureServer({ key: await pem('tls-key.pem'), cert: await pem('tls.pem') }, async (request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/keys') response.end(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a' }] }));
    else response.end(JSON.stringify({ issuer: name, jwks_uri: `${name}/keys` }));
  });
  await once(secure.listen(0, '127.0.0.1'), 'listening');
  name = `https://localhost:${secure.address().port}`;
  const bearer = await new SignJWT({ scope: 'read' })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'a' })
    .setIssuer(name)
    .setAudience(AUDIENCE)
    .setSubject('somebody')
    .setExpirationTime('10 minutes')
    .sign(privateKey);
  const roots = new URL('../fixtures/keys/tls-ca.pem', import.meta.url).pathname;
  try {
    for (const [environment, expected] of [
      [{ SSL_CERT_FILE: roots }, 200],
      [{}, 503],
    ]) {
      const started = await start(name, environment);
      try {
        assert.equal((await ask(bearer, undefined, started.graphql)).status, expected, started.log());
      } finally {
        await started.stop();
      }
    }
  } finally {
    secure.closeAllConnections();
    secure.close();
  }
});
