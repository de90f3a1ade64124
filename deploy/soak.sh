#!/usr/bin/env bash
# The soak: soak.sh run [FLAG…]|up|clean, on an instance of its own whose data root is a small file system of its own.
# SOAK_HTTPS_PORT (9643) and SOAK_HTTP_PORT (9280) choose its ports, SOAK_GIB (4) the file system's size; bin/soak -help
# lists the flags. KEEP=1 leaves the instance running. It restarts Docker's daemon: let nothing else build meanwhile.
#
# engine, clocks, dump, load, stranger and second-root are for the running soak to call.
# shellcheck source-path=SCRIPTDIR disable=SC2034,SC2119
. "$(dirname "$0")/lib.sh"
. "$repo/deploy/host.sh"
. "$repo/deploy/images.sh"
. "$repo/deploy/instance.sh"

goal='soak'
instance=soak root=/var/lib/chatiere-soak domain=chatiere.localhost panel_domain=lilas.localhost
https_port=${SOAK_HTTPS_PORT:-9643} http_port=${SOAK_HTTP_PORT:-9280}
soak_https_port=$https_port soak_http_port=$http_port
disk=/var/lib/chatiere-soak.img out=$repo/.artifacts/soak
compose_files+=(-f "$repo/deploy/compose/soak.yml")
build_tags=failpoint

bring_up() {
  need_root
  engine
  compose_tool
  free_ports soak_https_port soak_http_port
  images
  quietly "building the soak" env CGO_ENABLED=0 go build -trimpath -buildvcs=false -o bin/ ./cmd/soak
  small_disk
  prepare
  install -d -m 0700 "$root/hold" "$out"
  up
  quietly "filling the instance" bin/chatiere demo --config "$root/chatiere.yaml" --summary "$out/summary.json"
}

# small_disk mounts a file as the data root. Nothing is reserved for root in it: the worker is root.
small_disk() {
  ! mountpoint -q "$root" || return 0
  tool mkfs.ext4 e2fsprogs
  truncate -s "${SOAK_GIB:-4}G" "$disk"
  mkfs.ext4 -q -m 0 -E lazy_itable_init=0,lazy_journal_init=0 "$disk"
  install -d -m 0755 "$root"
  mount -o loop "$disk" "$root"
}

take_away() {
  need_root
  docker rm -f "$instance-stranger" >/dev/null 2>&1 || true
  clean_mounted
  rm -f "$disk"
}

# clean_mounted: the root is a file system of its own, so that it is emptied and then unmounted.
clean_mounted() {
  local kept=$root found
  docker rm -fv "chatiere-$instance-worker" >/dev/null 2>&1 || true # first, or it would make sites anew
  mapfile -t found < <(containers)
  ((${#found[@]} == 0)) || quietly "removing ${#found[@]} containers of $instance" docker rm -fv "${found[@]}"
  if mountpoint -q "$kept"; then umount "$kept"; fi
  clean
}

run() {
  bring_up
  bin/soak -config "$root/chatiere.yaml" -summary "$out/summary.json" -helper "$repo/deploy/soak.sh" -report docs/soak.md "$@"
  [[ -n ${KEEP:-} ]] || take_away
}

# again restarts Docker's daemon as it was started, or as the system does it.
again() {
  local pid arguments
  if [[ -d /run/systemd/system ]] && systemctl -q is-active docker; then
    systemctl restart docker
  else
    pid=$(pgrep -o -x dockerd) # the oldest: the daemon runs itself anew for small tasks
    mapfile -d '' -t arguments <"/proc/$pid/cmdline"
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    setsid nohup "${arguments[@]}" >>/var/log/dockerd.log 2>&1 </dev/null &
  fi
  until engine_answers; do sleep 0.1; done
}

clocks() {
  export SOAK_CLOCK_WORKER=$1 SOAK_CLOCK_PANEL=$2
  platform up -d --no-build --no-deps worker panel
}

root_of_the_database() { docker exec -i "chatiere-$instance-mariadb" "$1" --defaults-file=/tmp/chatiere/client.cnf "${@:2}"; }

# stranger CONFIG starts a second worker beside the first, with the same mounts, and prints its container's name.
stranger() {
  docker rm -f "$instance-stranger" >/dev/null 2>&1 || true
  docker run -d --name "$instance-stranger" --network none --read-only --tmpfs /tmp --volumes-from "chatiere-$instance-worker" \
    -e "CHATIERE_CONFIG=$1" "$(docker inspect -f '{{.Image}}' "chatiere-$instance-worker")" worker >/dev/null
  echo "$instance-stranger"
}

# second_root makes another data root whose configuration leads to the first one's databases, and prints that file.
second_root() {
  local second=$root/second
  rm -rf "$second"
  install -d -m 0755 "$second"
  bin/chatiere setup --root "$second" --instance "$instance" --domain "$domain" --panel-domain "$panel_domain" --https-port "$https_port" --http-port "$http_port" \
    --image "chatiere=x:1,mariadb=x:1,keycloak=x:1" >&2
  cp -a "$root/secrets/." "$second/secrets/"
  printf '\ndatabase: {socket: "%s"}\nsites_database: {socket: "%s"}\n' "$root/run/mariadb/mysqld.sock" "$root/run/mariadb-sites/mysqld.sock" \
    >>"$second/chatiere.yaml"
  echo "$second/chatiere.yaml"
}

case ${1:-} in
  run) run "${@:2}" ;;
  up) bring_up ;;
  clean) take_away ;;
  engine) again ;;
  clocks) clocks "$2" "$3" ;;
  dump) root_of_the_database mariadb-dump --single-transaction chatiere >"$2" ;;
  load) root_of_the_database mariadb chatiere <"$2" ;;
  stranger) stranger "$2" ;;
  second-root) second_root ;;
  *) fail "usage: soak.sh run [FLAG…]|up|clean" ;;
esac
