#!/bin/sh
# Builds the shared PHP image: build.sh [tag]. The base image is $BASE, a ready
# siteinit may be named by $SITEINIT, otherwise it is compiled here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -R "$here/Dockerfile" "$here/etc" "$here/start" "$context/"
if [ -n "${SITEINIT:-}" ]; then
    cp "$SITEINIT" "$context/siteinit"
else
    (cd "$here/../../.." && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$context/siteinit" ./cmd/siteinit)
fi
chmod -R u=rwX,go=rX "$context"
docker build --build-arg "BASE=${BASE:-chatiere/base:trixie}" --tag "${1:-chatiere/php:trixie}" "$context"
