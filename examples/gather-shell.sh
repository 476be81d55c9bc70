#!/bin/sh
# Copies this machine's /bin/sh and the libraries it is linked with below DIRECTORY: gather-shell.sh DIRECTORY
set -eu
mkdir -p "$1/bin"
cp -L /bin/sh "$1/bin/sh"
# A static shell has no libraries, and ldd says so by failing.
libraries=$(ldd /bin/sh 2>/dev/null | sed -n 's/^.*[[:space:]]\(\/[^ ]*\) (0x.*$/\1/p') || libraries=
for library in $libraries; do
  mkdir -p "$1$(dirname "$library")"
  cp -L "$library" "$1$library"
done
