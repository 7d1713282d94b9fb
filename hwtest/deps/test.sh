#!/bin/sh
# All tests: raced where the package is pure Go, plain where it holds C, then
# the demonstration, once as it is and once with nothing but loopback.
# make lint has vetted all before: once for both ways of building is enough.
set -eu
cd "$(dirname "$0")/../.."
export GOTOOLCHAIN=local
export OPENBLAS_NUM_THREADS=1
export WATCHPOST_BIN="$PWD/bin"

# Packages that start the product's programs or Debian's servers: one after the
# other, so that they do not take each other's processor.
real() { case "$1" in */hwtest/gen/*) return 1 ;; */hwtest/* | */sdk/central/* | */sdk/central | */device/cmd/* | */device/post | */device/uplink) return 0 ;; esac; return 1; }
# Packages that only compute: the race detector makes them ten times slower and
# has nothing to find in them.
computes() { case "$1" in */biometric/finger | */biometric/slap | */biometric/tenprint | */biometric/demographic | */hwtest/gen/*) return 0 ;; esac; return 1; }

with_c=$(go list -deps -f '{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}' ./device/... ./hwtest/... ./sdk/... | sort -u)
# A test binary that links C anywhere is run without the race detector, which
# cannot see into it and would have all C++ compiled again. One call says what
# each links: a line for a package, without tests, and one for its test binary.
linking_c=$(go list -test -f '{{$p := .ImportPath}}{{$p}} {{$p}}{{range .Deps}}
{{$p}} {{.}}{{end}}' ./device/... ./sdk/... ./hwtest/... ./kiosk-ui | awk -v with_c="$with_c" '
	BEGIN { n = split(with_c, words, "\n"); for (i = 1; i <= n; i++) c[words[i]] = 1 }
	$2 in c && !said[$1]++ { sub(/\.test$/, "", $1); print $1 }' | sort -u)
raced= plain= parts= parts_c=
for p in $(go list ./device/... ./sdk/... ./hwtest/... ./kiosk-ui); do
	c=no
	if echo "$linking_c" | grep -qxF "$p"; then c=yes; fi
	case $(real "$p" && echo real || echo unit)-$c in
	real-no) parts="$parts $p" ;;
	real-yes) parts_c="$parts_c $p" ;;
	unit-no) if computes "$p"; then plain="$plain $p"; else raced="$raced $p"; fi ;;
	unit-yes) plain="$plain $p" ;;
	esac
done
said=$(mktemp)
trap 'rm -f "$said"' EXIT
exec 4>&1 # what the tests say, while 3 carries go's exit code
# tests runs go test and, where it fails, ends with what failed: a log is often
# read from its end.
tests() {
	code=$({ { go test -vet=off -timeout 12m "$@" 2>&1 3>&-; echo $? >&3; } | tee "$said" >&4; } 3>&1)
	if [ "$code" = 0 ]; then return; fi
	printf '\ntest: failed:\n' >&2
	grep -E '^(# |FAIL|panic:|WARNING: DATA RACE)|^ *(--- FAIL|[^ ]+\.go:[0-9]+:)' "$said" | cut -c1-300 | tail -25 >&2
	exit 1
}
# shellcheck disable=SC2086  # lists of words on purpose
{
	echo "test: pure packages, raced"
	tests -race $raced
	echo "test: packages that link C or only compute"
	tests $plain
	echo "test: real parts, one package at a time"
	tests -race -p 1 $parts
	tests -p 1 $parts_c
}

echo "test: the page, alone and in a browser against a real post"
hwtest/deps/ui.sh test
hwtest/deps/ui.sh browser
hwtest/deps/ui.sh central

echo "test: the demonstration"
bin/hwtest demo --bin bin --quiet
echo "test: the demonstration with loopback only"
if [ "$(id -u)" = 0 ]; then ns="unshare -n"; else ns="unshare -U -r -n"; fi
$ns sh -c 'ip link set lo up && exec bin/hwtest demo --bin bin --quiet'
