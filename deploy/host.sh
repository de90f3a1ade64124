# shellcheck shell=bash disable=SC2034,SC2154,SC2119
# What the machine itself needs: packages of Debian, a running engine, a Go toolchain.

# packages NAME… installs what is missing.
packages() {
  local missing=() p
  for p; do
    [[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) == *"ok installed"* ]] || missing+=("$p")
  done
  ((${#missing[@]})) || return 0
  have apt-get || fail "missing: ${missing[*]}" "this is no Debian, so install them by hand and start again"
  [[ -e $cache/apt-updated && -z $(find "$cache/apt-updated" -mmin +60) ]] || quietly "reading Debian's package lists" apt-get update -q
  touch "$cache/apt-updated"
  quietly "installing ${missing[*]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# tool COMMAND PACKAGE… installs packages only if the command is not there, wherever it came from.
tool() { have "$1" || packages "${@:2}"; }

in_debian() { [[ -n $(apt-cache show "$1" 2>/dev/null) ]]; }

engine_answers() { docker info >/dev/null 2>&1; }

# engine makes sure that Docker's daemon runs, and keeps containers running while it is restarted.
engine() {
  if ! engine_answers; then
    engine_packages
    engine_answers || start_engine
  fi
  [[ $(docker info -f '{{.LiveRestoreEnabled}}' 2>/dev/null) == true ]] ||
    say "  note: live-restore is off, so sites stop while Docker is restarted; set \"live-restore\": true in /etc/docker/daemon.json"
}

engine_packages() {
  local wanted=(docker.io ca-certificates)
  if [[ ! -e /etc/docker/daemon.json ]] && ! have dockerd; then
    mkdir -p /etc/docker
    printf '{\n  "live-restore": true\n}\n' >/etc/docker/daemon.json # before the package starts it
  fi
  have dockerd && have docker && return 0
  [[ -e $cache/apt-updated ]] || { quietly "reading Debian's package lists" apt-get update -q; touch "$cache/apt-updated"; }
  ! in_debian docker-cli || wanted+=(docker-cli)
  [[ $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) != Y ]] || wanted+=(apparmor)
  packages "${wanted[@]}"
}

start_engine() {
  step "starting Docker"
  if [[ -d /run/systemd/system ]]; then
    systemctl enable --now docker >/dev/null 2>&1 || true
  else
    local flags=()
    grep -qs live-restore /etc/docker/daemon.json || flags+=(--live-restore)
    setsid nohup dockerd "${flags[@]}" >>/var/log/dockerd.log 2>&1 </dev/null &
  fi
  local i
  for ((i = 0; i < 120; i++)); do
    if engine_answers; then return 0; fi
    sleep 0.5
  done
  tail -n 15 /var/log/dockerd.log 2>/dev/null | sed 's/^/  | /' >&2 || true
  fail "Docker's daemon does not answer after 60 s" "journalctl -u docker, or /var/log/dockerd.log, say why"
}

# compose ARGUMENTS… is Compose 2 or 1.29, whichever is there.
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

compose_tool() { docker compose version >/dev/null 2>&1 || tool docker-compose docker-compose; }

# The certificates that an admin added to this machine, for containers that build; never for one that is shipped.
own_certificates() {
  compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null || return 0
  printf '%s\n' -v /usr/local/share/ca-certificates:/usr/local/share/ca-certificates:ro
}

# in_base COMMAND [DOCKER ARGUMENT…] runs shell in a throw-away container of the base image.
in_base() {
  local command=$1 certificates=()
  shift
  mapfile -t certificates < <(own_certificates | tr ' ' '\n')
  docker run --rm "${certificates[@]}" "$@" "$base_image" bash -ec "update-ca-certificates >/dev/null 2>&1 || true
    export DEBIAN_FRONTEND=noninteractive; apt-get update -q; $command"
}

go_version() { awk '/^toolchain /{t=$2} /^go /{g="go"$2} END{print t ? t : g}' go.mod; }

# go_tool finds a Go that is new enough, or can fetch one that is: the machine's, Debian's, or one fetched in a container.
go_tool() {
  export GOTOOLCHAIN=${GOTOOLCHAIN:-auto} PATH=$PATH:/usr/local/go/bin
  if go_works; then return 0; fi
  if [[ -x $cache/go/bin/go ]]; then
    export PATH=$cache/go/bin:$PATH
  elif [[ $(. /etc/os-release && echo "${VERSION_ID:-0}") -ge 13 ]]; then
    packages golang-go
  else
    fetch_go
  fi
  go_works || fail "no Go toolchain" "install Go 1.26 or newer and start again"
}

# go_works: a Go before 1.21 knows nothing of toolchains and cannot help itself.
go_works() {
  local minor
  have go && minor=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p') && ((${minor:-0} >= 21)) &&
    (cd "$repo" && GOTOOLCHAIN=auto go version >/dev/null 2>&1)
}

# fetch_go lets the next Debian's Go fetch the toolchain of go.mod, checked against the checksum database, and keeps that.
fetch_go() {
  local version
  version=$(go_version)
  base
  quietly "fetching $version in a container" in_base "apt-get install -q -y --no-install-recommends golang-go
    cd /tmp && GOTOOLCHAIN=$version GOMODCACHE=/out GOFLAGS=-modcacherw go version" -v "$cache/gomod:/out"
  ln -sfn "$(echo "$cache/gomod/golang.org/toolchain@"*"-$version."*)" "$cache/go"
  chmod +x "$cache"/go/bin/* "$cache"/go/pkg/tool/*/*
  export PATH=$cache/go/bin:$PATH
}
