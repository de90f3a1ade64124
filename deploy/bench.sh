#!/usr/bin/env bash
# Figures: bench.sh proxy|all [flag of bin/bench …]. Each section measures and replaces its own part of
# docs/benchmarks.md. What is measured should be alone on the machine; the load average stands in the document.
# shellcheck source-path=SCRIPTDIR disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"
. "$repo/deploy/host.sh"
. "$repo/deploy/images.sh"

sections=(proxy)

build_bench() { docker build --build-arg "BASE=$base_image" -t "$1" deploy/images/bench; }

# proxy: processor time and memory beside nginx, HAProxy and Caddy.
proxy() {
  local hash
  engine
  base
  binaries
  quietly "building the benchmark" env CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/bench
  hash=$(digest "$(image_id "$base_image")" deploy/images/bench)
  image bench "$hash" build_bench
  step "measuring the proxy (about five minutes)"
  bin/bench proxy -image "chatiere/bench:$hash" "$@"
  step "docs/benchmarks.md is written"
}

need_root
case ${1:-} in
  all) for section in "${sections[@]}"; do "$section"; done ;;
  proxy) proxy "${@:2}" ;;
  *) fail "usage: bench.sh proxy|all" ;;
esac
