#!/usr/bin/env bash
# The demo co-op: demo.sh up|down|clean|build|images.  DEMO_HTTPS_PORT (8443) and DEMO_HTTP_PORT (8080) choose its ports.
# shellcheck source-path=SCRIPTDIR disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"
. "$repo/deploy/host.sh"
. "$repo/deploy/images.sh"
. "$repo/deploy/instance.sh"

goal=demo
instance=demo root=/var/lib/chatiere-demo domain=chatiere.localhost panel_domain=lilas.localhost
https_port=${DEMO_HTTPS_PORT:-8443} http_port=${DEMO_HTTP_PORT:-8080}
demo_https_port=$https_port demo_http_port=$http_port
out=$repo/.demo
export CHATIERE_SOCKET=$root/run/cli/panel.sock

start() {
  need_root
  tool curl curl
  tool jq jq
  engine
  compose_tool
  free_ports demo_https_port demo_http_port
  images
  forget_lost_root
  [[ ! -e $root/chatiere.yaml ]] || same_ports
  prepare --coop-name "Coop des Lilas" --coop-contact contact@lilas.example
  install -d -m 0700 "$out"
  printf '%s\n' "$CHATIERE_SOCKET" >"$out/socket"
  up
  step "filling the demo (its first site builds an image: a few minutes)"
  bin/chatiere demo --config "$root/chatiere.yaml" --summary "$out/summary.json" >&2 ||
    fail "the demo could not be filled" "bin/chatiere operation list, and docker logs chatiere-$instance-worker, say more"
  await_page "$(jq -r '.sites[0].url' "$out/summary.json")"
  farewell
}

# same_ports: sites keep their address in their own database, so the ports of a demo that exists stay.
same_ports() {
  grep -q "^public_port: $https_port\$" "$root/chatiere.yaml" ||
    fail "the demo exists with another port ($(grep '^public_port:' "$root/chatiere.yaml"))" \
      "make clean, then make demo DEMO_HTTPS_PORT=$https_port"
}

# await_page waits for a page as a visitor gets it.
await_page() {
  local end=$((SECONDS + 60))
  until curl -fsS -o /dev/null --max-time 10 --cacert "$root/certs/ca.pem" "$1" 2>"$cache/log/page.log"; do
    ((SECONDS < end)) || fail "$1 does not answer" "$(cat "$cache/log/page.log")"
    sleep 0.5
  done
}

farewell() {
  jq -r '"
The co-op is running (" + $seconds + " s).

  panel      " + .panel_url + "
  site       " + .sites[0].url + "

  volunteer  " + .admin.username + "  " + .admin.password + "   one-time codes from " + .admin.totp_secret + "
  manager    " + .manager.username + "  " + .manager.password + "
  member     " + .member.username + "  " + .member.password + "
  outsider   " + .outsider.username + "  " + .outsider.password + "

Browsers trust it once they know " + .ca_cert + "
All of this is in .demo/summary.json; bin/chatiere --help is the command line; make down stops it."' \
    --arg seconds "$SECONDS" "$out/summary.json"
}

case ${1:-} in
  up) start ;;
  down) need_root; down ;;
  clean) need_root; clean; rm -rf "$out" ;;
  build) binaries ;;
  images) need_root; engine; images ;;
  *) fail "usage: demo.sh up|down|clean|build|images" ;;
esac
