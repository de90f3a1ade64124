# shellcheck shell=bash disable=SC2034,SC2154,SC2119
# What every script here begins with: where things are, how progress is told, how failures are explained.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$repo/.cache
mkdir -p "$cache/log"
cd "$repo"

say() { printf '%s\n' "$*" >&2; }

# step tells what begins, with the seconds since the start.
step() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

# fail says what went wrong and, line by line, what to do about it.
fail() {
  printf '\n✗ %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}

# quietly WHAT COMMAND… keeps the output in a log, tells every 15 s that it goes on, and shows the log's end on failure.
quietly() {
  local what=$1 log pid began=$SECONDS
  shift
  log=$cache/log/$(printf '%s' "$what" | tr -cs 'A-Za-z0-9' '-').log
  step "$what"
  ("$@") >"$log" 2>&1 &
  pid=$!
  while still "$pid" 15; do
    say "        … ${what}: $((SECONDS - began)) s, $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"
  done
  if ! wait "$pid"; then
    tail -n 30 "$log" | sed 's/^/  | /' >&2
    fail "$what failed" "the whole output is in $log"
  fi
}

# still PID SECONDS waits that long for a process; true if it runs on.
still() {
  local i
  for ((i = 0; i < $2 * 5; i++)); do
    kill -0 "$1" 2>/dev/null || return 1
    sleep 0.2
  done
}

need_root() {
  [[ $(id -u) == 0 ]] || fail "this needs root" "it starts containers and makes files that belong to other users: sudo make …"
}

have() { command -v "$1" >/dev/null 2>&1; }

# digest prints a short hash of files, directories and words, names and modes included.
digest() {
  local item
  for item; do
    if [[ -e $item ]]; then
      find "$item" -type f -printf '%p %m\n' | sort
      find "$item" -type f -print0 | sort -z | xargs -0 sha256sum
    else
      printf '%s\n' "$item"
    fi
  done | sha256sum | cut -c 1-12
}
