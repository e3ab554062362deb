// Asks the gateway: queries and mutations as "GraphQL over HTTP" says, subscriptions over a WebSocket.
import { getOperationAST, GraphQLError, type DocumentNode, type ExecutionResult } from "graphql";
import type { GraphiQLProps } from "graphiql";
import { createClient } from "graphql-ws";

type Fetcher = GraphiQLProps["fetcher"];
type Params = Parameters<Fetcher>[0];

/** A fetcher that shows a token. */
export function fetcherWith(token: string): Fetcher {
  return (params, options) => {
    const headers: Record<string, string> = {};
    if (token !== "") headers["authorization"] = `Bearer ${token}`;
    for (const [name, value] of Object.entries(options?.headers ?? {})) headers[name.toLowerCase()] = value;
    // Nobody is let in without one; there is no need to ask.
    if (headers["authorization"] === undefined) {
      return { errors: [new GraphQLError("Put a token into the field at the top.")] };
    }
    return isSubscription(params, options?.documentAST) ? subscribe(params, headers) : ask(params, headers);
  };
}

function isSubscription(params: Params, document: DocumentNode | undefined): boolean {
  return document !== undefined && getOperationAST(document, params.operationName)?.operation === "subscription";
}

async function ask(params: Params, headers: Record<string, string>) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify(params),
    credentials: "omit",
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `${response.status} ${response.statusText}: ${text.slice(0, 400)}` }] };
  }
}

/** The answers to a subscription, over a socket that is closed with it. */
async function* subscribe(params: Params, headers: Record<string, string>): AsyncGenerator<ExecutionResult> {
  const client = createClient({
    url: `${location.origin.replace(/^http/, "ws")}/graphql`,
    connectionParams: headers,
    retryAttempts: 3,
  });
  try {
    const { query, operationName, variables } = params;
    // Faults come as JSON, and GraphiQL writes JSON, though its types speak of the class.
    for await (const answer of client.iterate({ query, operationName, variables })) yield answer as ExecutionResult;
  } catch (error) {
    yield { errors: faults(error) };
  } finally {
    await client.dispose();
  }
}

/** What went wrong: the errors of a request that was refused, or why the socket was closed. */
function faults(error: unknown): GraphQLError[] {
  if (Array.isArray(error)) return error;
  if (error instanceof CloseEvent) return [new GraphQLError(`the socket was closed: ${error.code} ${error.reason}`)];
  return [new GraphQLError(error instanceof Error ? error.message : "the socket could not be opened")];
}
