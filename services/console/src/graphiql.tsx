import "./workers";
import "graphiql/style.css";
import "./page.css";

import { GraphiQL } from "graphiql";
import { useMemo, useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";

import { fetcherWith } from "./fetcher";
import { cleanToken, storedToken, storeToken, takeTokenFromAddress } from "./token";

const FIRST_QUERY = `# Welcome to Spil.
# 1. Paste a token into the field at the top.
# 2. Press the button with the triangle.
# The book on the left shows every type;
# Ctrl+Space completes.

query FirstLook {
  initiatives(first: 5, orderBy: [{ field: KEY }]) {
    totalCount
    nodes {
      key
      name
      stage
      roleImpacts {
        nodes {
          kind
          severity
          role {
            name
          }
        }
      }
    }
  }
}
`;

function AccessBar({ token, onToken }: { token: string; onToken: (token: string) => void }) {
  const [text, setText] = useState(token);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onToken(cleanToken(text));
  };
  const forget = () => {
    setText("");
    onToken("");
  };
  return (
    <form className="access" onSubmit={submit}>
      <strong>Spil</strong>
      <label>
        Token
        <input
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <button type="submit" disabled={cleanToken(text) === token}>
        {token !== "" && cleanToken(text) === token ? "In use" : "Use"}
      </button>
      <button type="button" onClick={forget} disabled={token === "" && text === ""}>
        Forget
      </button>
    </form>
  );
}

function Page() {
  const [token, setToken] = useState(storedToken);
  const fetcher = useMemo(() => fetcherWith(token), [token]);
  const change = (next: string) => {
    storeToken(next);
    setToken(next);
  };
  return (
    <>
      <AccessBar token={token} onToken={change} />
      {/* Another token may see another schema: start anew. */}
      <GraphiQL key={token} fetcher={fetcher} defaultQuery={FIRST_QUERY} />
    </>
  );
}

takeTokenFromAddress();
const place = document.getElementById("page");
if (place !== null) createRoot(place).render(<Page />);
