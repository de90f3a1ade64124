# shellcheck shell=bash disable=SC2034,SC2154,SC2119
# The images. Each is tagged with a hash of what goes into it, so that one is built when that changed and not otherwise,
# and a container is made again when its image changed and not otherwise.

base_image=chatiere/base:trixie
keycloak_version=26.5.5

built() { docker image inspect "$1" >/dev/null 2>&1; }

image_id() { docker image inspect -f '{{.Id}}' "$1"; }

# base is the layer that all images share: Debian's own image, or the same made here where no registry answers.
base() {
  built "$base_image" && return 0
  step "making the base image: asking the registry"
  if timeout 60 docker pull -q debian:trixie-slim >"$cache/log/pull.log" 2>&1; then
    quietly "preparing the base image" base_from debian:trixie-slim
  else
    tool mmdebstrap mmdebstrap
    quietly "no registry answers: making the base image with mmdebstrap" base_made
  fi
}

base_from() {
  printf 'FROM %s\nRUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && apt-get clean && rm -rf /var/lib/apt/lists/*\n' "$1" |
    docker build -t "$base_image" -
}

base_made() {
  local archive
  archive=$(mktemp -p "$cache" base.XXXXXX.tar)
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$archive'" EXIT
  mmdebstrap --variant=minbase --include=ca-certificates trixie "$archive"
  docker import -c 'CMD ["bash"]' "$archive" "$base_image"
}

# image NAME HASH COMMAND… builds chatiere/NAME:HASH unless it is there; the command gets the tag as its last word.
image() {
  local name=$1 hash=$2 tag=chatiere/$1:$2
  shift 2
  built "$tag" || quietly "building image $name" "$@" "$tag"
  docker tag "$tag" "chatiere/$name:latest"
  forget_older "$name" "$hash"
}

# forget_older removes the tags of earlier builds that nothing runs any more.
forget_older() {
  local tag
  for tag in $(docker image ls --format '{{.Tag}}' "chatiere/$1"); do
    [[ $tag =~ ^[0-9a-f]{12}$ && $tag != "$2" ]] || continue
    [[ -n $(docker ps -aq --filter "ancestor=chatiere/$1:$tag") ]] || docker rmi "chatiere/$1:$tag" >/dev/null 2>&1 || true
  done
}

# build_tags are of test instances alone: failpoint lets tests stop operations at their failure points.
build_tags=

# binaries builds our programs, static and the same from the same source.
binaries() {
  go_tool
  quietly "building chatiere and siteinit" env CGO_ENABLED=0 \
    go build -tags "$build_tags" -trimpath -buildvcs=false -ldflags '-s -w' -o bin/ ./cmd/chatiere ./cmd/siteinit
}

build_chatiere() { docker build --build-arg "BASE=$base_image" -t "$1" .; }
build_mariadb() {
  local context
  context=$(mktemp -d)
  cp -R deploy/images/mariadb/. bin/siteinit "$context/"
  chmod -R u=rwX,go=rX "$context"
  docker build --build-arg "BASE=$base_image" -t "$1" "$context"
  rm -rf "$context"
}
build_smtp() { docker build --build-arg "BASE=$base_image" -t "$1" deploy/images/smtp; }
build_php() { SITEINIT=$repo/bin/siteinit BASE=$base_image deploy/images/php/build.sh "$1"; }

build_keycloak() {
  if [[ -n $keycloak_official ]]; then
    deploy/keycloak/build --siteinit bin/siteinit --official "$keycloak_official" --tag "$1"
  else
    deploy/keycloak/build --siteinit bin/siteinit --dist "$keycloak_archive" --base "$base_image" --tag "$1"
  fi
}

# Where Keycloak comes from; only asked when its image has to be built.
keycloak_official='' keycloak_archive=$cache/keycloak-quarkus-dist-$keycloak_version.tar.gz

obtain_keycloak() {
  [[ ! -s $keycloak_archive ]] || return 0
  local official=keycloak/keycloak:$keycloak_version
  step "obtaining Keycloak $keycloak_version: asking the registry"
  if built "$official" || timeout 20 docker manifest inspect "$official" >/dev/null 2>&1; then
    built "$official" || quietly "pulling Keycloak $keycloak_version" timeout 1200 docker pull -q "$official"
    keycloak_official=$official
    return 0
  fi
  quietly "fetching Keycloak $keycloak_version from Maven Central" keycloak_from_maven
  [[ -s $keycloak_archive ]] || fail "Keycloak's distribution could not be fetched" "neither a registry nor Maven Central answers"
}

keycloak_from_maven() {
  local artifact=org.keycloak:keycloak-quarkus-dist:$keycloak_version:tar.gz
  local path=org/keycloak/keycloak-quarkus-dist/$keycloak_version/keycloak-quarkus-dist-$keycloak_version.tar.gz
  local fetch="mvn -B -C dependency:get -Dartifact=$artifact -Dtransitive=false"
  if have mvn; then
    $fetch
    cp "$HOME/.m2/repository/$path" "$keycloak_archive.part"
  else
    mkdir -p "$cache/maven"
    in_base "apt-get install -q -y --no-install-recommends maven >/dev/null; $fetch -Dmaven.repo.local=/maven" -v "$cache/maven:/maven"
    cp "$cache/maven/$path" "$keycloak_archive.part"
    rm -rf "$cache/maven"
  fi
  gzip -t "$keycloak_archive.part"
  mv "$keycloak_archive.part" "$keycloak_archive"
}

# images builds all that is out of date and leaves their tags in variables.
images() {
  local from hash
  base
  binaries
  from=$(image_id "$base_image")
  hash=$(digest "$from" Dockerfile bin/chatiere)
  image chatiere "$hash" build_chatiere
  chatiere_tag=chatiere/chatiere:$hash
  hash=$(digest "$from" deploy/images/mariadb bin/siteinit)
  image mariadb "$hash" build_mariadb
  mariadb_tag=chatiere/mariadb:$hash
  hash=$(digest "$from" deploy/images/php bin/siteinit)
  image php "$hash" build_php
  docker tag "chatiere/php:$hash" chatiere/php:trixie
  hash=$(digest "$from" deploy/keycloak bin/siteinit "$keycloak_version")
  built "chatiere/keycloak:$hash" || obtain_keycloak
  image keycloak "$hash" build_keycloak
  keycloak_tag=chatiere/keycloak:$hash
}
