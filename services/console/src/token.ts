// The access token. It is kept for this tab only and forgotten when the tab is closed.
const KEY = "spil.token";

/** The token of this tab; empty if there is none. */
export function storedToken(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Keeps a token for this tab; forgets it if it is empty. */
export function storeToken(token: string): void {
  if (token === "") sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

/** What was pasted, without the blanks around it and the word that often comes with it. */
export function cleanToken(text: string): string {
  return text.trim().replace(/^bearer\s+/i, "");
}

/** Takes the token out of an address that ends in `#token=…`. Browsers do not send that part to the server. */
export function takeTokenFromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  storeToken(cleanToken(given));
  history.replaceState(null, "", location.pathname + location.search);
}
