#!/usr/bin/env bash
# Runs the suites of others (tests/conformance) against the binary: all of them, or those named. Needs Node.js 20 or newer; without it
# says so and does nothing.
#
#   scripts/conformance.sh [SUITE ...]    for instance: scripts/conformance.sh relay federation
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'conformance: %s\n' "$*" >&2; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  say "Node.js is not there, so what others wrote was not run"
  exit 0
fi
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
  say "Node.js $(node --version) is too old (20 or newer is needed), so what others wrote was not run"
  exit 0
fi

suite=tests/conformance
# The packages are many, so that clones share them: a folder for each state of the lock file.
state=$(cat $suite/package.json $suite/package-lock.json | sha256sum | cut -c1-16)
packages=${SPIL_NODE_PACKAGES:-$HOME/.cache/spil-node}/$state-$(node --version)
if [ ! -f "$packages/complete" ]; then
  say "fetching packages"
  rm -rf "$packages"
  mkdir -p "$packages"
  cp $suite/package.json $suite/package-lock.json "$packages/"
  npm ci --prefix "$packages" --no-audit --no-fund --ignore-scripts --loglevel=error
  touch "$packages/complete"
fi
ln -sfn "$packages/node_modules" $suite/node_modules

cargo build --locked --quiet -p spil-server --bin spil
folder=${CARGO_TARGET_DIR:-target}/debug
exec node $suite/run.mjs --binary "$(cd "$folder" && pwd)/spil" "$@"
