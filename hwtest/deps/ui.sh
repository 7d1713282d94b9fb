#!/bin/sh
# The page of a post and the one of central: ui.sh build puts them into
# kiosk-ui/dist and kiosk-ui/dist-central, and does nothing where nothing has
# changed since; ui.sh test runs their tests; ui.sh browser runs the post's in
# Chromium against a real post of bin/ (or $WATCHPOST_BIN), ui.sh central the
# other against a real central; names of test files after it run these alone.
# Node 20.19 or newer is taken if it is there, else npm's own package of it.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${WATCHPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/watchpost}
node_version=20.20.2
page=$here/kiosk-ui

say() { printf 'ui: %s\n' "$*"; }
die() { printf 'ui: error: %s\n' "$*" >&2; exit 1; }

enough() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; }
command -v npm >/dev/null 2>&1 || die "npm is missing: make deps installs it"
if ! enough; then
	PATH="$cache/node/node_modules/node/bin:$PATH"
	if ! enough; then
		say "fetching Node $node_version (npm package node)"
		mkdir -p "$cache/node"
		npm install --silent --no-audit --no-fund --prefix "$cache/node" "node@$node_version" >/dev/null || die "npm could not fetch node@$node_version"
		enough || die "Node $node_version does not run here"
	fi
	export PATH
fi

cd "$page"
installed=node_modules/.watchpost-installed
built=node_modules/.watchpost-built
lock=$(sha256sum package.json package-lock.json | sha256sum)
if [ "$(cat $installed 2>/dev/null)" != "$lock" ]; then
	say "npm ci"
	npm ci --silent --no-audit --no-fund || die "npm ci failed: is a package registry reachable?"
	echo "$lock" >$installed
fi

build() {
	sources=$({ echo "$lock"; find src public central index.html vite.config.ts tsconfig.json -type f | LC_ALL=C sort | xargs sha256sum; } | sha256sum)
	if [ -s dist/index.html ] && [ -s dist-central/index.html ] && [ "$(cat $built 2>/dev/null)" = "$sources" ]; then return; fi
	say "building the page"
	npm run --silent build -- --logLevel warn || die "the page does not build"
	npm run --silent build -- --logLevel warn --config central/vite.config.ts || die "central's page does not build"
	echo "$sources" >$built
}

case "${1:-build}" in
build) build ;;
test)
	build
	npm run --silent check
	npm run --silent test
	;;
browser)
	shift
	npm run --silent browser -- "$@" # names of test files, none for all
	;;
central)
	shift
	node_modules/.bin/vitest run --config central/browser/vitest.config.ts "$@"
	;;
*) die "ui.sh build, test, browser or central" ;;
esac
