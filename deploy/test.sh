#!/usr/bin/env bash
# Tests, on an instance of their own: test.sh lint|unit|fuzz|integration|e2e|screenshots|audit|all|clean.
# TEST_HTTPS_PORT (9443), TEST_HTTP_PORT (9080) and TEST_STANDIN_PORT (9444) choose its ports, TEST_INSTANCE (test) its
# name. What is missing on the machine is installed or is a failure: nothing is skipped. KEEP=1 leaves the instance
# running. To work on one thing: test.sh up brings the instance to this build; test.sh only e2e|integration ARGUMENT…
# then runs go test with those arguments (test.sh only e2e -run TestName; test.sh only integration ./tenants/docker).
# shellcheck source-path=SCRIPTDIR disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"
. "$repo/deploy/host.sh"
. "$repo/deploy/images.sh"
. "$repo/deploy/instance.sh"

goal='test'
instance=${TEST_INSTANCE:-test} root=/var/lib/chatiere-${TEST_INSTANCE:-test} domain=chatiere.localhost panel_domain=lilas.localhost
https_port=${TEST_HTTPS_PORT:-9443} http_port=${TEST_HTTP_PORT:-9080}
test_https_port=$https_port test_http_port=$http_port
standin_port=${TEST_STANDIN_PORT:-9444}
test_standin_port=$standin_port
build_tags=failpoint

golangci_version=v2.5.0 govulncheck_version=v1.1.4 axe_version=4.10.3
export GOBIN=$repo/.bin PATH=$repo/.bin:$PATH

timings=()

# stage NAME COMMAND… times one stage, and says so whatever becomes of it.
stage() {
  local name=$1 began=$SECONDS
  shift
  say ""
  say "── $name"
  "$@"
  timings+=("$(printf '%-12s %5d s' "$name" $((SECONDS - began)))")
}

report() {
  local code=$?
  ((${#timings[@]} == 0)) || { say ""; printf '   %s\n' "${timings[@]}" >&2; }
  ((code == 0)) || say "✗ failed after $SECONDS s"
  return "$code"
}

# go_binary COMMAND MODULE@VERSION installs a tool of ours once per version.
go_binary() {
  local mark=$GOBIN/.$1-${2##*@}
  [[ -x $GOBIN/$1 && -e $mark ]] && return 0
  # With this module's Go: a linter built by an older one refuses to read what is written for a newer.
  quietly "installing $1 ${2##*@}" env CGO_ENABLED=0 "GOTOOLCHAIN=$(go env GOVERSION)" go install -trimpath "$2"
  touch "$mark"
}

lint() {
  go_tool
  local unformatted
  unformatted=$(go list -f '{{.Dir}}' ./... | xargs gofmt -l)
  [[ -z $unformatted ]] || fail "these files are not formatted (gofmt -w)" "$unformatted"
  go mod tidy -diff >"$cache/log/tidy.log" 2>&1 || fail "go.mod is not tidy (go mod tidy)" "$(cat "$cache/log/tidy.log")"
  tool shellcheck shellcheck
  shellcheck -x -P deploy deploy/*.sh .ci/run || fail "shellcheck is not content"
  go_binary golangci-lint "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_version"
  golangci-lint run --timeout 10m ./... || fail "golangci-lint is not content"
}

# run_tests ARGUMENT… prints what fails, but not the many packages that pass; its outcome is that of go test.
run_tests() { go test "$@" ./... 2>&1 | { grep -Ev '^ok  |\[no test files\]' >&2 || true; }; }

unit() {
  go_tool
  race_tools
  run_tests -race -timeout 10m || fail "unit tests failed"
}

# race_tools: the race detector links C.
race_tools() { tool gcc gcc libc6-dev; }

# platform_of_the_tests brings up a whole instance of this build, with the demo's people and site in it.
platform_of_the_tests() {
  need_root
  engine
  compose_tool
  free_ports test_https_port test_http_port test_standin_port
  images
  mail_server
  forget_lost_root
  prepare
  openings
  up
  quietly "filling the instance" bin/chatiere demo --config "$root/chatiere.yaml" --summary "$root/summary.json"
}

# openings: failure points, and a stand-in server on the engine's bridge that the sites may reach by name.
openings() {
  compose_files+=(-f "$repo/deploy/compose/test.yml")
  PLATFORM_TEST_STANDIN=$(docker run --rm --network bridge "$base_image" cat /proc/net/route | default_gateway)
  export PLATFORM_TEST_STANDIN PLATFORM_TEST_STANDIN_PORT=$standin_port PLATFORM_TEST_FORWARDER=chatiere/php:trixie
  install -d -m 0700 "$root/hold"
  grep -q '^egress:' "$root/chatiere.yaml" || printf '\negress:\n  permit: ["%s:%d", "wordpress.org:443", "api.wordpress.org:443", "downloads.wordpress.org:443"]\n  allow: ["standin.chatiere.test:%d"]\n' \
    "$PLATFORM_TEST_STANDIN" "$standin_port" "$standin_port" >>"$root/chatiere.yaml"
  mail_opening
  prepare
}

# mail_server is a real one, from Debian, that takes, defers and refuses. Tests look at what it took by docker exec.
mail_server() {
  local hash
  hash=$(digest "$(image_id "$base_image")" deploy/images/smtp)
  image smtp "$hash" build_smtp
  export PLATFORM_TEST_SMTP_IMAGE=chatiere/smtp:$hash
}

# mail_opening lets the gateway send through it.
mail_opening() {
  local secrets=$root/secrets/gateway
  grep -q '^mail:' "$root/chatiere.yaml" ||
    printf '\nmail:\n  smarthost: "smtp.chatiere.test:587"\n  user: chatiere\n  domain: mail.chatiere.test\n  hourly: 40\n' >>"$root/chatiere.yaml"
  install -d -m 0700 -o 64030 -g 64030 "$secrets"
  printf 'une phrase pour les tests\n' | install -m 0600 -o 64030 -g 64030 /dev/stdin "$secrets/mail_password"
  docker run --rm "$PLATFORM_TEST_SMTP_IMAGE" cat /tls/ca.pem | install -m 0600 -o 64030 -g 64030 /dev/stdin "$secrets/mail_ca.pem"
}

# default_gateway reads the kernel's route table, where addresses are hexadecimal and little-endian: the machine as seen
# from a container. Docker itself does not always know.
default_gateway() {
  local hex
  hex=$(awk '$2 == "00000000" {print $3; exit}')
  [[ $hex =~ ^[0-9A-F]{8}$ ]] || fail "containers on Docker's bridge have no way to this machine"
  printf '%d.%d.%d.%d' "0x${hex:6:2}" "0x${hex:4:2}" "0x${hex:2:2}" "0x${hex:0:2}"
}

# surroundings tells the tests where the real things are.
surroundings() {
  export CHATIERE_TEST_CONFIG=$root/chatiere.yaml CHATIERE_TEST_SUMMARY=$root/summary.json CHATIERE_TEST_HOLD=$root/hold
  export CHATIERE_TEST_PERMIT=$PLATFORM_TEST_STANDIN:$standin_port CHATIERE_TEST_ARTIFACTS=$repo/.artifacts
  export CHATIERE_TEST_MARIADB_IMAGE=$mariadb_tag CHATIERE_BASE_IMAGE=$base_image
  CHATIERE_TEST_KEYCLOAK_ISSUER=$(setting PLATFORM_IDENTITY_URL)/realms/chatiere
  CHATIERE_TEST_PANEL_URL=$(setting PLATFORM_PANEL_URL)
  export CHATIERE_TEST_KEYCLOAK_ISSUER CHATIERE_TEST_PANEL_URL CHATIERE_TEST_KEYCLOAK_SOCKET=$root/run/keycloak/keycloak.sock
  CHATIERE_TEST_OIDC_PANEL=$(<"$root/secrets/oidc_panel") CHATIERE_TEST_OIDC_WORKER=$(<"$root/secrets/oidc_worker")
  CHATIERE_TEST_KC_BOOTSTRAP=$(<"$root/secrets/kc_bootstrap") # for a realm that is not ours
  export CHATIERE_TEST_OIDC_PANEL CHATIERE_TEST_OIDC_WORKER CHATIERE_TEST_KC_BOOTSTRAP
  mkdir -p "$repo/.artifacts"
}

integration() {
  tool mkfs.ext4 e2fsprogs # a small disk that a test fills
  surroundings
  # One package at a time: several of them watch what the whole engine holds.
  run_tests -tags integration -timeout 20m -p 1 || fail "integration tests failed"
}

# browser also brings axe-core, which is MPL-2.0 and so not among our own files.
browser() {
  tool chromium chromium
  tool certutil libnss3-tools
  export CHATIERE_TEST_AXE=$cache/axe-core-$axe_version/package/axe.min.js
  [[ -s $CHATIERE_TEST_AXE ]] || quietly "fetching axe-core $axe_version" fetch_axe
}

fetch_axe() {
  tool npm npm
  mkdir -p "$cache/axe-core-$axe_version"
  (cd "$cache/axe-core-$axe_version" && npm pack --silent "axe-core@$axe_version" && tar -xzf "axe-core-$axe_version.tgz")
}

e2e() {
  surroundings
  [[ -d cmd/e2e ]] || fail "cmd/e2e is missing: there is no end-to-end test"
  browser
  run_e2e -timeout 30m
}

run_e2e() { go test -tags e2e -count 1 "$@" ./cmd/e2e/... || fail "end-to-end tests failed"; }

screenshots() {
  platform_of_the_tests
  surroundings
  browser
  run_e2e -run InTheBrowser -timeout 15m
}

# fuzz runs every fuzz target for FUZZ_SECONDS (30). What it finds lands in the package's testdata/fuzz, to be kept there
# as a seed once it is mended: unit tests run the seeds.
fuzz() {
  go_tool
  local file target
  grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do
    grep -o '^func Fuzz[A-Za-z0-9]*' "$file" | while read -r _ target; do
      say "   ${file%/*} $target"
      go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZ_SECONDS:-30}s" "${file%/*}" </dev/null >"$cache/log/fuzz.log" 2>&1 ||
        fail "$target found something" "$(tail -40 "$cache/log/fuzz.log")"
    done || return 1
  done
}

audit() {
  go_tool
  go_binary govulncheck "golang.org/x/vuln/cmd/govulncheck@$govulncheck_version"
  govulncheck ./...
}

# with_platform STAGE… runs stages on a fresh instance, which is taken away when all went well.
with_platform() {
  local s
  need_root
  engine # before the cleaning: an engine that starts later would bring a last run's containers back
  clean
  stage platform platform_of_the_tests
  for s; do stage "$s" "$s"; done
  [[ -n ${KEEP:-} ]] || stage clean clean
}

# only TAG ARGUMENT… brings the instance to this build and runs some of its tests.
only() {
  local tag=$1
  shift
  platform_of_the_tests
  surroundings
  case $tag in
    e2e) browser; run_e2e -timeout 30m "$@" ;;
    integration) go test -tags integration -count 1 -timeout 20m -p 1 "$@" || fail "integration tests failed" ;;
    *) fail "usage: test.sh only e2e|integration ARGUMENT…" ;;
  esac
}

trap report EXIT
case ${1:-all} in
  lint | unit | fuzz | audit) stage "$1" "$1" ;;
  integration | e2e) with_platform "$1" ;;
  screenshots) screenshots ;;
  all)
    need_root
    stage lint lint
    stage unit unit
    with_platform integration e2e
    ;;
  clean) need_root; clean ;;
  up) stage platform platform_of_the_tests ;;
  only) shift; only "$@" ;;
  *) fail "usage: test.sh lint|unit|fuzz|integration|e2e|screenshots|audit|all|clean|up|only" ;;
esac
