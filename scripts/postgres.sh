#!/usr/bin/env bash
# A PostgreSQL for tests: its own folder, its own port on 127.0.0.1, no password, no fsync. Never for real data.
#
#   scripts/postgres.sh start [DIR]     starts a server in DIR (a new temporary folder if none is given);
#                                       prints its folder and its URL, one a line
#   scripts/postgres.sh crash DIR       ends that server as a crash would, and starts it again on the same port
#   scripts/postgres.sh stop DIR        stops that server and removes the folder
#   scripts/postgres.sh run COMMAND...  starts one, runs the command with SPIL_TEST_POSTGRES set, and stops it
#
# As root the server runs as the user postgres, because PostgreSQL refuses root; and PostgreSQL is installed by apt where
# it is missing. As anybody else it runs as oneself.
set -euo pipefail

say() { printf 'postgres.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# A folder made by this script holds this file; no other folder is ever removed.
readonly mark=.spil-test-postgres

is_root() { [ "$(id -u)" -eq 0 ]; }

as_server() {
  if is_root; then
    # The caller's folder may be closed to the user postgres.
    (cd / && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

# Prints the folder of the newest PostgreSQL programs.
find_programs() {
  local candidate
  for candidate in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) /usr/local/pgsql/bin; do
    if [ -x "$candidate/initdb" ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  candidate=$(command -v initdb || true)
  [ -n "$candidate" ] && dirname "$(readlink -f "$candidate")"
}

programs() {
  local found
  if found=$(find_programs); then
    printf '%s\n' "$found"
    return
  fi
  if ! is_root || ! command -v apt-get >/dev/null; then
    die "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
  fi
  say "installing PostgreSQL"
  # The package would make and start a cluster of its own on the usual port; nobody here needs it.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/spil-test.conf
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
  } >&2
  find_programs || die "PostgreSQL is still missing after its installation"
}

# Whether nobody listens on a port of 127.0.0.1.
is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  local bin dir port attempt
  bin=$(programs)
  dir=${1:-}
  if [ -z "$dir" ]; then
    # Short, because the path of a Unix socket may have 107 bytes.
    dir=$(mktemp -d /tmp/spil-postgres.XXXXXX)
  else
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    [ -z "$(find "$dir" -mindepth 1 ! -name "$mark" -print -quit)" ] || die "$dir is not empty"
  fi
  touch "$dir/$mark"
  if is_root; then chown postgres: "$dir" "$dir/$mark"; fi
  if ! as_server "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync >"$dir/initdb.log" 2>&1; then
    cat "$dir/initdb.log" >&2
    die "initdb failed"
  fi
  printf '%s\n' "$bin" >"$dir/programs"
  as_server tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 400
shared_buffers = 128MB
fsync = off
synchronous_commit = on
full_page_writes = off
autovacuum_naptime = 10s
log_min_messages = warning
CONF
  for attempt in 1 2 3 4 5 6 7 8; do
    # Below the ports that the kernel hands out to clients.
    port=$((20000 + RANDOM % 12000))
    is_free "$port" || continue
    if as_server "$bin/pg_ctl" start --pgdata="$dir/data" --log="$dir/server.log" --wait --silent \
      --options="-p $port" >/dev/null 2>&1; then
      printf '%s\n%s\n' "$dir" "postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  [ -f "$dir/server.log" ] && tail -n 20 "$dir/server.log" >&2
  die "PostgreSQL does not start in $dir (tried $attempt times)"
}

stop() {
  local dir=$1 bin
  [ -f "$dir/$mark" ] || die "$dir was not made by this script"
  if [ -f "$dir/data/postmaster.pid" ]; then
    bin=$(cat "$dir/programs")
    # pg_ctl signals the process whose id stands in the folder, and no other.
    as_server "$bin/pg_ctl" stop --pgdata="$dir/data" --mode=fast --wait --silent >/dev/null 2>&1 ||
      as_server "$bin/pg_ctl" stop --pgdata="$dir/data" --mode=immediate --wait --silent >/dev/null 2>&1 ||
      say "the server in $dir does not stop"
  fi
  rm -rf "$dir"
}

crash() {
  local dir=$1 bin
  [ -f "$dir/$mark" ] || die "$dir was not made by this script"
  bin=$(cat "$dir/programs")
  # The options of the start, the port among them, are kept by pg_ctl.
  as_server "$bin/pg_ctl" restart --pgdata="$dir/data" --log="$dir/server.log" --mode=immediate --wait --silent >/dev/null 2>&1 ||
    die "PostgreSQL does not come back in $dir"
}

run() {
  local dir out url child status=0
  dir=$(mktemp -d /tmp/spil-postgres.XXXXXX)
  touch "$dir/$mark"
  # shellcheck disable=SC2064  # the folder as it is now
  trap "stop '$dir'" EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  out=$(start "$dir")
  url=$(tail -n 1 <<<"$out")
  say "running as $url"
  # A process group of its own: a signal is handed on to all that the command has started, and to nothing else.
  set -m
  SPIL_TEST_POSTGRES=$url "$@" &
  child=$!
  set +m
  # shellcheck disable=SC2064
  trap "kill -INT -- -$child 2>/dev/null || true; wait $child || true; exit 130" INT
  # shellcheck disable=SC2064
  trap "kill -TERM -- -$child 2>/dev/null || true; wait $child || true; exit 143" TERM HUP
  wait "$child" || status=$?
  exit "$status"
}

case "${1:-}" in
  start) start "${2:-}" ;;
  crash) crash "${2:?which folder?}" ;;
  stop) stop "${2:?which folder?}" ;;
  run)
    shift
    [ $# -gt 0 ] || die "run what?"
    run "$@"
    ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
