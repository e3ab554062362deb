// Asks the gateway, as "GraphQL over HTTP" says.
import type { GraphiQLProps } from "graphiql";

type Fetcher = GraphiQLProps["fetcher"];

/** A fetcher that shows a token. */
export function fetcherWith(token: string): Fetcher {
  return async (params, options) => {
    const headers: Record<string, string> = {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
    };
    if (token !== "") headers["authorization"] = `Bearer ${token}`;
    for (const [name, value] of Object.entries(options?.headers ?? {})) headers[name.toLowerCase()] = value;
    // Nobody is let in without one; there is no need to ask.
    if (headers["authorization"] === undefined) return { errors: [{ message: "Put a token into the field at the top." }] };
    const response = await fetch("/graphql", {
      method: "POST",
      headers,
      body: JSON.stringify(params),
      credentials: "omit",
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      return { errors: [{ message: `${response.status} ${response.statusText}: ${text.slice(0, 400)}` }] };
    }
  };
}
