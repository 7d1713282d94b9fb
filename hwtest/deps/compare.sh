#!/bin/sh
# Peers beside us in one run: every benchmark-like test named TestCompare...
# prints its table.
set -eu
cd "$(dirname "$0")/../.."
export GOTOOLCHAIN=local WATCHPOST_COMPARE=1 WATCHPOST_BIN="$PWD/bin"
pkgs=$(git ls-files '*_test.go' | xargs grep -l '^func TestCompare' | xargs -n1 dirname | sort -u | sed 's#^#./#')
[ -n "$pkgs" ] || { echo "compare: no comparison found"; exit 1; }
# The gallery with the vector kernels that it ships with.
gallery=./device/watchlist/gallery/measure
pkgs=$(echo "$pkgs" | grep -vx "$gallery" || true)
GOEXPERIMENT=simd go test -count=1 -timeout 30m -run '^TestCompare' -v "$gallery"
[ -n "$pkgs" ] || exit 0
# shellcheck disable=SC2086
go test -count=1 -timeout 60m -run '^TestCompare' -v $pkgs
