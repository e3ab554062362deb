// The server under test.

/** Where GraphQL is answered. */
export const url = process.env.SPIL_TARGET;
/** A token that may do everything. */
export const token = process.env.SPIL_TOKEN;
if (!url || !token) throw new Error('run this through run.mjs, which starts a server');

/** The header that every request needs. */
export const authorization = { authorization: `Bearer ${token}` };

/** `fetch` with the token. */
export function fetchWithToken(input, init = {}) {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers });
}

/** Asks, and gives the whole answer. */
export async function request(query, variables = {}) {
  const response = await fetchWithToken(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

/** Asks, and gives the data; a fault fails the test. */
export async function ask(query, variables = {}) {
  const answer = await request(query, variables);
  if (answer.errors) throw new Error(JSON.stringify(answer.errors).slice(0, 1000));
  return answer.data;
}
