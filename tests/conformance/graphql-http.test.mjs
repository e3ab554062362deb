// GraphQL over HTTP, by the audits of the package `graphql-http`. MUST, SHOULD and MAY count alike.
import { test } from 'node:test';

import { serverAudits } from 'graphql-http';

import { fetchWithToken, url } from './support/target.mjs';

for (const audit of serverAudits({ url, fetchFn: fetchWithToken })) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    if (result.status !== 'ok') throw new Error(`${result.status}: ${result.reason}`);
  });
}
