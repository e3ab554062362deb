#!/usr/bin/env bash
# Builds the web pages that the gateway serves: services/console/dist. Does nothing if that is newer than its sources.
set -euo pipefail
cd "$(dirname "$0")/../services/console"

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "console: Node.js is not there, so /graphiql will only say how to build it" >&2
  exit 0
fi
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
  echo "console: Node.js $(node --version) is too old (20 or newer is needed), so /graphiql will only say how to build it" >&2
  exit 0
fi
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "console: fetching packages"
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
  touch node_modules/.package-lock.json
fi
if [ -f dist/index.html ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print -quit)" ]; then
  exit 0
fi
npm run --silent build
