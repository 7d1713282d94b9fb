#!/bin/sh
# Real counterparts against our parts: every test named TestInterop..., with the
# counterparts required (a missing one is a failure here).
set -eu
cd "$(dirname "$0")/../.."
export GOTOOLCHAIN=local WATCHPOST_INTEROP=1 WATCHPOST_BIN="$PWD/bin"
pkgs=$(git ls-files '*_test.go' | xargs grep -l '^func TestInterop' | xargs -n1 dirname | sort -u | sed 's#^#./#')
[ -n "$pkgs" ] || { echo "interop: no test of a real counterpart found"; exit 1; }
# shellcheck disable=SC2086
go test -count=1 -timeout 60m -run '^TestInterop' -v $pkgs
