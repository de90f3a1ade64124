# shellcheck shell=bash disable=SC2034,SC2154,SC2119
# One instance of the platform: its data root, its containers, its end. The caller sets instance, root, domain,
# panel_domain, https_port and http_port.

compose_files=(-f "$repo/docker-compose.yml")

platform() { compose -p "chatiere-$instance" --env-file "$root/compose.env" "${compose_files[@]}" "$@"; }

# containers are those of the instance, and those that its tests put beside it.
containers() {
  docker ps -aq --filter "label=chatiere.instance=$instance"
  docker ps -aq --filter "label=chatiere.beside=$instance"
}

# listener PORT prints who listens on a TCP port: "nginx (pid 12)", or "another process".
listener() {
  local hex inode link
  hex=$(printf ':%04X' "$1")
  inode=$(awk -v p="$hex" '$2 ~ p"$" && $4 == "0A" {print $10; exit}' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  [[ -n $inode ]] || return 1
  link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null) || true
  if [[ $link =~ ^/proc/([0-9]+)/ ]]; then
    echo "$(cat "/proc/${BASH_REMATCH[1]}/comm") (process ${BASH_REMATCH[1]})"
  else
    echo "another process"
  fi
}

# free_ports refuses ports that somebody else uses; our own proxy may have them.
free_ports() {
  [[ -z $(docker ps -q --filter "name=^/chatiere-$instance-proxy$") ]] || return 0
  local name port who
  for name in "$@"; do
    port=${!name}
    if who=$(listener "$port"); then
      fail "port $port is taken by $who" "choose another one: make $goal ${name^^}=$((port + 1000))"
    fi
  done
}

# prepare makes the data root with the images of this build.
prepare() {
  local names=(--domain "$domain")
  # An instance that exists keeps the names it was made with.
  [[ -e $root/chatiere.yaml ]] || names+=(--panel-domain "$panel_domain")
  quietly "preparing $root" bin/chatiere setup --root "$root" --instance "$instance" "${names[@]}" \
    --https-port "$https_port" --http-port "$http_port" "$@" \
    --image "chatiere=$chatiere_tag,mariadb=$mariadb_tag,keycloak=$keycloak_tag"
}

# setting NAME prints a value that setup wrote for Compose.
setting() { sed -n "s/^$1='\(.*\)'\$/\1/p" "$root/compose.env"; }

# forget_lost_root starts from nothing where the data root was removed under containers that are still there: the engine
# then makes empty directories in the places of their files. A root that holds any file is left alone.
forget_lost_root() {
  [[ ! -f $root/chatiere.yaml && -n $(containers) ]] || return 0
  [[ -z $(find "$root" -type f -print -quit 2>/dev/null) ]] ||
    fail "$root has files, but no chatiere.yaml" "put the file back, or take the instance away: make clean"
  say "  note: the data root $root is gone; its containers are removed and all is made from nothing"
  clean
}

# up starts what is not running, makes again what has changed, and waits until all of it is well.
up() {
  quietly "starting the containers of $instance" platform up -d --no-build "$@"
  await_health "$@"
  wake_sites
}

condition() {
  docker inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}}' "chatiere-$instance-$1"
}

await_health() {
  local services=("$@") role waiting last='' end=$((SECONDS + 420))
  (($#)) || mapfile -t services < <(platform config --services)
  while :; do
    waiting=()
    for role in "${services[@]}"; do
      is_well "$role" || waiting+=("$role")
    done
    ((${#waiting[@]})) || return 0
    if [[ ${waiting[*]} != "$last" ]]; then
      last=${waiting[*]}
      step "waiting for $last"
    fi
    ((SECONDS < end)) || explain "${waiting[0]}" "not well after 7 minutes"
    sleep 0.5
  done
}

# is_well ends everything for a container that keeps ending: it will not mend by waiting.
is_well() {
  local status health restarts
  read -r status health restarts < <(condition "$1" 2>/dev/null) || return 1
  [[ $status == running && $health =~ ^(healthy|none)$ ]] && return 0
  ((restarts < 8)) || explain "$1" "ended $restarts times"
  return 1
}

# explain ends with a container's last words.
explain() {
  docker logs --tail 20 "chatiere-$instance-$1" 2>&1 | sed 's/^/  | /' >&2
  fail "$1: $2" "its whole log: docker logs chatiere-$instance-$1"
}

# down stops everything and keeps the data. Which sites were running is kept as well: only those are started again.
down() {
  local sites
  docker stop "chatiere-$instance-worker" >/dev/null 2>&1 || true # first, or it would repair what is taken down
  mapfile -t sites < <(docker ps --format '{{.Names}}' --filter "label=chatiere.instance=$instance" --filter label=chatiere.site)
  if ((${#sites[@]})); then
    printf '%s\n' "${sites[@]}" >"$root/sites-running"
    quietly "stopping ${#sites[@]} sites" docker stop -t 20 "${sites[@]}"
  fi
  [[ ! -e $root/compose.env ]] || quietly "stopping $instance" platform down --remove-orphans
}

wake_sites() {
  local site
  [[ -e $root/sites-running ]] || return 0
  while read -r site; do
    docker start "$site" >/dev/null || say "  note: $site could not be started; the worker will look after it"
  done <"$root/sites-running"
  rm -f "$root/sites-running"
}

# clean removes every trace of this instance and of no other.
clean() {
  local found
  if engine_answers; then
    # The worker first: it would make sites anew while two hundred of them are being removed.
    docker rm -fv "chatiere-$instance-worker" >/dev/null 2>&1 || true
    mapfile -t found < <(containers)
    ((${#found[@]} == 0)) || quietly "removing ${#found[@]} containers of $instance" docker rm -fv "${found[@]}"
    mapfile -t found < <(docker network ls -q --filter "label=chatiere.instance=$instance")
    ((${#found[@]} == 0)) || docker network rm "${found[@]}" >/dev/null
    mapfile -t found < <(docker volume ls -q --filter "label=chatiere.instance=$instance")
    ((${#found[@]} == 0)) || docker volume rm "${found[@]}" >/dev/null
  fi
  remove_root
}

# remove_root is careful, since rm is not: the directory must be a data root of this very instance.
remove_root() {
  [[ -d $root ]] || return 0
  [[ $root == /var/lib/chatiere?* || $root == /tmp/?* ]] || fail "$root is not removed: it lies in an unexpected place"
  if [[ -f $root/chatiere.yaml ]] && ! grep -Eq "^instance: \"?$instance\"?\$" "$root/chatiere.yaml"; then
    fail "$root is not removed: it belongs to another instance" "$(grep '^instance:' "$root/chatiere.yaml")"
  fi
  step "removing $root"
  rm -rf --one-file-system "$root"
}
