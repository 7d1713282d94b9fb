#!/bin/sh
# Peers beside us in one run: every benchmark-like test named TestCompare...
# prints its table.
set -eu
cd "$(dirname "$0")/../.."
export GOTOOLCHAIN=local WATCHPOST_COMPARE=1 WATCHPOST_BIN="$PWD/bin"
pkgs=$(git ls-files '*_test.go' | xargs grep -l '^func TestCompare' | xargs -n1 dirname | sort -u | sed 's#^#./#')
[ -n "$pkgs" ] || { echo "compare: no comparison found"; exit 1; }
# With the vector kernels that the product ships with, and one package at a
# time: they measure.
# shellcheck disable=SC2086
GOEXPERIMENT=simd go test -p 1 -count=1 -timeout 60m -run '^TestCompare' -v $pkgs
