#!/usr/bin/env bash
# Runs every test of the workspace. SPIL_TEST_POSTGRES names the PostgreSQL to use, by a superuser's URL; where it is not
# set, one is started for the tests and stopped after them.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -d services/console/node_modules ] && command -v npm >/dev/null; then
  npm --prefix services/console run --silent check
fi

status=0
tests=(cargo test --locked --workspace --no-fail-fast "$@")
if [ -n "${SPIL_TEST_POSTGRES:-}" ]; then
  "${tests[@]}" || status=$?
else
  # Compiled first, so that the server does not wait idle, and an error in the code shows before one in the set-up.
  cargo test --locked --workspace --no-run
  scripts/postgres.sh run "${tests[@]}" || status=$?
fi
# Arguments choose tests of ours; then nobody waits for those of others.
if [ $# -eq 0 ]; then
  scripts/conformance.sh || status=$?
fi
exit "$status"
