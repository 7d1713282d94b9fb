#!/bin/sh
# All tests: raced where the package is pure Go, plain where it holds C, then
# the demonstration, once as it is and once with nothing but loopback.
set -eu
cd "$(dirname "$0")/../.."
export GOTOOLCHAIN=local
export OPENBLAS_NUM_THREADS=1
export WATCHPOST_BIN="$PWD/bin"

all=$(go list ./device/... ./sdk/... ./hwtest/...)
with_c=$(go list -deps -f '{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}' ./device/... ./hwtest/... ./sdk/... | sort -u)
# A test binary that links C anywhere is run without the race detector: the
# detector cannot see into it and the cold build takes minutes.
raced= plain=
for p in $all; do
	# shellcheck disable=SC2086
	if go list -deps -test "$p" 2>/dev/null | grep -qxF "$(printf '%s\n' $with_c)"; then plain="$plain $p"; else raced="$raced $p"; fi
done
echo "test: pure packages, raced"
# shellcheck disable=SC2086
go test -race -timeout 12m $raced
if [ -n "$plain" ]; then
	echo "test: packages that link C"
	# shellcheck disable=SC2086
	go test -timeout 12m $plain
fi

echo "test: the page, alone and in a browser against a real post"
hwtest/deps/ui.sh test
hwtest/deps/ui.sh browser

echo "test: the demonstration"
bin/hwtest demo --bin bin --quiet
echo "test: the demonstration with loopback only"
if [ "$(id -u)" = 0 ]; then ns="unshare -n"; else ns="unshare -U -r -n"; fi
$ns sh -c 'ip link set lo up && exec bin/hwtest demo --bin bin --quiet'
