#!/bin/sh
# Builds an image offline, without root, daemon or registry, and runs it: examples/hello/build.sh [NAME]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
slipway=${SLIPWAY:-$here/../../bin/slipway}

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" "$here/hello.sh" "$context/"
"$here/../gather-shell.sh" "$context/shell"

"$slipway" build --build-arg "NAME=${1:-world}" -t hello "$context"
container=$("$slipway" from hello)
"$slipway" run "$container" -- /bin/sh /hello.sh
"$slipway" rm "$container" > /dev/null
