#!/usr/bin/env bash
# Figures: bench.sh proxy|sites|all [flag of bin/bench …]. Each section measures and replaces its own part of
# docs/benchmarks.md. What is measured should be alone on the machine; the load average stands in the document.
# BENCH_HTTPS_PORT (12443) and BENCH_HTTP_PORT (12080) choose the ports of the instance that "sites" measures.
# shellcheck source-path=SCRIPTDIR disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"
. "$repo/deploy/host.sh"
. "$repo/deploy/images.sh"
. "$repo/deploy/instance.sh"

goal='bench'
instance=bench root=/var/lib/chatiere-bench domain=chatiere.localhost panel_domain=lilas.localhost
https_port=${BENCH_HTTPS_PORT:-12443} http_port=${BENCH_HTTP_PORT:-12080}
bench_https_port=$https_port bench_http_port=$http_port

sections=(proxy sites)

build_bench() { docker build --build-arg "BASE=$base_image" -t "$1" deploy/images/bench; }

build_bench_program() {
  quietly "building the benchmark" env CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/bench
}

# proxy: processor time and memory beside nginx, HAProxy and Caddy.
proxy() {
  local hash
  engine
  base
  binaries
  build_bench_program
  hash=$(digest "$(image_id "$base_image")" deploy/images/bench)
  image bench "$hash" build_bench
  step "measuring the proxy (about five minutes)"
  bin/bench proxy -image "chatiere/bench:$hash" "$@"
  step "docs/benchmarks.md is written"
}

# sites: a whole instance, from its first site to two hundred at once. It is taken away again.
sites() {
  engine
  compose_tool
  free_ports bench_https_port bench_http_port
  clean
  images
  build_bench_program
  prepare
  up
  quietly "filling the instance" bin/chatiere demo --config "$root/chatiere.yaml" --summary "$root/summary.json"
  step "measuring sites (about fifteen minutes)"
  bin/bench sites -config "$root/chatiere.yaml" -summary "$root/summary.json" "$@"
  step "docs/benchmarks.md is written"
  clean
}

need_root
case ${1:-} in
  all) for section in "${sections[@]}"; do "$section"; done ;;
  proxy | sites) "$1" "${@:2}" ;;
  *) fail "usage: bench.sh proxy|sites|all" ;;
esac
