#!/bin/bash
# An image made by a script instead of a Dockerfile: from-scratch.sh [IMAGE-NAME]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
slipway=${SLIPWAY:-$here/../bin/slipway}

shell=$(mktemp -d)
trap 'rm -rf "$shell"' EXIT
"$here/gather-shell.sh" "$shell"

container=$("$slipway" from scratch)
"$slipway" copy -q "$container" "$shell" /
"$slipway" run "$container" -- /bin/sh -c 'echo "written by a step" > /step.txt'
"$slipway" config \
  --env GREETING=hello \
  --label org.opencontainers.image.title=from-scratch \
  --entrypoint '["/bin/sh", "-c"]' \
  --cmd '["read -r line < /step.txt; echo $GREETING: $line"]' \
  "$container"
"$slipway" commit -q --rm "$container" "${1:-from-scratch}"
