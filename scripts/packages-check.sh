#!/usr/bin/env bash
# Makes a release twice, which must be the same, and tries what is in it: the unit, the
# packages in a bare Debian, the images, the chart. What this machine cannot do is left
# out, and said; in CI it is an error.
# usage: packages-check.sh [DIST]    (dist)
#
# RELEASE_TARGETS are the targets of the release, as release.sh has them, and AGAIN_TARGETS
# those of the second one: the same unless set. With fewer, what both have must be the same.
set -euo pipefail
cd "$(dirname "$0")/.."

dist=${1:-dist}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skipped=()

did() { echo "packages-check: $1 (${SECONDS} s)"; }
# can WHAT TOOL... reports whether this machine has what WHAT needs.
can() {
	local what=$1 missing=() tool
	shift
	for tool; do
		if [ "$tool" = root ]; then
			[ "$(id -u)" -eq 0 ] || missing+=(root)
		else
			command -v "$tool" >/dev/null || missing+=("$tool")
		fi
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "${CI:-}" = true ]; then
		echo "packages-check: $what needs ${missing[*]}" >&2
		exit 1
	fi
	skipped+=("$what needs ${missing[*]}")
	return 1
}

unit() {
	local unit=$work/gonamesrv.service
	sed "s|/usr/bin/namesrv|$work/local/bin/namesrv|" deploy/systemd/gonamesrv.service >"$unit"
	local said
	said=$(systemd-analyze verify --man=no "$unit" 2>&1) || true
	if grep -F gonamesrv <<<"$said"; then # other units of the machine have faults of their own
		exit 1
	fi
	systemd-analyze security --offline=yes --threshold=13 --no-pager "$unit" >"$work/security" || { cat "$work/security"; exit 1; }
	tail -n 1 "$work/security"
}

# again makes the release once more: elsewhere, with other modes of files, another time
# zone and another language.
again() (
	umask 077
	RELEASE_TARGETS=${AGAIN_TARGETS:-${RELEASE_TARGETS:-}} TZ=Asia/Tokyo LC_ALL=C.UTF-8 scripts/release.sh "$work/again"
)

# same compares the two releases.
same() {
	local file files=0
	if [ -z "${AGAIN_TARGETS:-}" ]; then
		diff -r "$dist" "$work/again"
		return
	fi
	for file in "$work"/again/*; do
		[ "${file##*/}" != SHA256SUMS ] || continue # it names what one of them has
		cmp "$file" "$dist/${file##*/}"
		files=$((files + 1))
	done
	[ "$files" -ge 5 ] || { echo "only $files files were made again" >&2; exit 1; }
}

# installed compares what make install, an archive and the package bring.
installed() {
	local version stage=$work/stage
	version=$(sed -n 's/^const Release = "\(.*\)"$/\1/p' internal/version/version.go)
	make --no-print-directory install DESTDIR="$stage" PREFIX=/usr >/dev/null
	for p in namesrv nsctl nsbench; do
		"$stage/usr/bin/$p" --version | grep -qF "$version" || { echo "$p --version does not say $version" >&2; exit 1; }
	done
	echo "# changed" >>"$stage/etc/gonamesrv/namesrv.properties"
	make --no-print-directory install DESTDIR="$stage" PREFIX=/usr >/dev/null
	grep -qx '# changed' "$stage/etc/gonamesrv/namesrv.properties" || { echo "make install took a configuration away" >&2; exit 1; }
	(cd "$stage" && find . -type f | sed 's|^\./usr/||; s|^\./||' | sort) >"$work/installed"
	mkdir -p "$work/local"
	tar -xzf "$dist/gonamesrv-$version-linux-$(go env GOHOSTARCH).tar.gz" --strip-components=1 -C "$work/local"
	(cd "$work/local" && find . -type f | sed 's|^\./||' | sort) | diff "$work/installed" -
	! can "comparing with the package" dpkg-deb || dpkg-deb -c "$dist"/gonamesrv_*_"$(go env GOHOSTARCH)".deb | awk '/^-/ { print $6 }' |
		sed 's|^\./usr/||; s|^\./||; s|vendor-completions|site-functions|; /copyright$/d' | sort | diff "$work/installed" -
}

scripts/release.sh "$dist"
did "release"
again >"$work/again.log" 2>&1 & # meanwhile the others, which wait half of the time
again=$!
installed
did "make install, archive and package have the same files"
GONAMESRV_DIST=$(cd "$dist" && pwd) go test -count=1 -vet=off ./internal/archive
did "archives; those for macOS are read, not run"

if can "the unit" systemd-analyze; then
	unit
	did "unit"
fi
if can "the packages" root debootstrap unshare ip dpkg-deb; then
	scripts/packages-test.sh "$dist"
	did "packages"
fi
images=
if can "starting images" root ip; then images=$(cd "$dist" && pwd); fi
GONAMESRV_DIST=$images go -C internal/image test -count=1 -vet=off ./...
did "images"
GONAMESRV_DIST=$images go -C internal/chart test -count=1 -vet=off ./...
did "chart"
wait "$again" || { cat "$work/again.log"; exit 1; }
same
did "the same twice"

ls -l "$dist" | awk 'NR > 1 { printf "%10d  %s\n", $5, $9 }'
if [ "${#skipped[@]}" -gt 0 ]; then
	printf 'packages-check: LEFT OUT: %s\n' "${skipped[@]}"
fi
echo "packages-check: ok (${SECONDS} s)"
