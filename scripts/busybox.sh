#!/usr/bin/env bash
# Puts Debian's busybox-static for ARCH into DIR: the shell of the image. It is fetched
# once, and must be the file that is meant.
# usage: busybox.sh ARCH DIR
set -euo pipefail

version=1.35.0-4+deb12u1+b1
source=busybox_1.35.0-4+deb12u1
case $1 in
amd64) sum=3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744 ;;
arm64) sum=732c9135564fc71337e0e05fb4da4d11e6c28c1834bce3e405e575afef2a52f5 ;;
*)
	echo "busybox.sh: no busybox for $1" >&2
	exit 1
	;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gonamesrv-packages
deb=$cache/busybox-static_${version}_$1.deb
if ! echo "$sum  $deb" | sha256sum --status -c 2>/dev/null; then
	mkdir -p "$cache"
	# A mirror drops what a newer one has replaced; the archive of all there was does not.
	for from in "$("$(dirname "$0")/debian-mirror.sh")" http://snapshot.debian.org/archive/debian/20260901T000000Z; do
		curl -sSfL --retry 3 -o "$deb.part" "$from/pool/main/b/busybox/${deb##*/}" || continue
		echo "$sum  $deb.part" | sha256sum --quiet -c && mv "$deb.part" "$deb" && break
	done
	[ -e "$deb" ] || { echo "busybox.sh: $deb cannot be had" >&2; exit 1; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -x "$deb" "$work"
mkdir -p "$2"
cp "$work/bin/busybox" "$work/usr/share/doc/busybox-static/copyright" "$2/" 2>/dev/null ||
	cp "$work/usr/bin/busybox" "$work/usr/share/doc/busybox-static/copyright" "$2/"
cat >"$2/SOURCE" <<TEXT
busybox is that of Debian's package busybox-static, version 1:$version, unchanged. Its
source is Debian's source package $source:
  http://deb.debian.org/debian/pool/main/b/busybox/
  https://snapshot.debian.org/package/busybox/
It is under the GNU General Public License, version 2 (GPL-2), and is a program of its own
beside the name server, which neither contains it nor needs it.
TEXT
