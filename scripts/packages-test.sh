#!/usr/bin/env bash
# Installs the packages of a release in a bare Debian, starts and ends the server, upgrades
# while it serves, with the configuration as it came and changed, removes and purges.
# usage: packages-test.sh [DIST]    (dist)
#
# It needs root, debootstrap, unshare and ip, and Debian's mirror once: the bare Debian is
# kept in ~/.cache/gonamesrv-packages, with rpm, which is tried there too.
set -euo pipefail
cd "$(dirname "$0")/.."

dist=${1:-dist}
release=bookworm
mirror=$(scripts/debian-mirror.sh)
arch=$(dpkg --print-architecture)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gonamesrv-packages
deb=$(echo "$dist"/gonamesrv_*_"$arch".deb)
rpm=$(echo "$dist"/gonamesrv-*."$(uname -m)".rpm)
for file in "$deb" "$rpm"; do [ -f "$file" ] || { echo "packages-test: no $file; make release makes it" >&2; exit 1; }; done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

base=$cache/debian-$release-$arch.tar
if [ ! -e "$base" ]; then
	mkdir -p "$cache"
	debootstrap --variant=minbase --include=rpm "$release" "$work/base" "$mirror" >"$work/debootstrap.log" ||
		{ tail "$work/debootstrap.log" >&2; exit 1; }
	rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
	tar -C "$work/base" --exclude='./dev/*' -cf "$base.$$" .
	mv "$base.$$" "$base"
	rm -rf "$work/base"
fi
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$base"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io" # this root is thrown away: nothing need be on the disk
for device in null zero random urandom; do
	[ -e "$root/dev/$device" ] || { touch "$root/dev/$device" && echo "$device" >>"$work/devices"; }
done

# The next version differs in its version and in the configuration that it brings.
next=$work/next
dpkg-deb -x "$deb" "$next"
mkdir -p "$next/usr/share/zsh/site-functions"
cp "$next/usr/share/zsh/vendor-completions/"* "$next/usr/share/zsh/site-functions/"
rm "$next/usr/share/doc/gonamesrv/copyright"
echo '# This line is of the next version.' >>"$next/etc/gonamesrv/namesrv.properties"
# Nobody passes it on, so it need not be small.
sed 's/compression: gzip:8/compression: gzip:1/' deploy/packages/nfpm.yaml >"$work/nfpm.yaml"
echo 'deb: {compression: none}' >>"$work/nfpm.yaml"
for form in deb rpm; do
	STAGE=$next ARCH=$(go env GOHOSTARCH) VERSION=99.0.0 MAINTAINER='test <root@localhost>' \
		scripts/nfpm.sh package -f "$work/nfpm.yaml" -p "$form" -t "$root/next.$form" >/dev/null
done
cp "$deb" "$root/this.deb"
cp "$rpm" "$root/this.rpm"
cp scripts/packages-inside.sh "$root/inside.sh"

# A network of its own, in which port 9876 is free, and processes of its own, so that
# mqshutdown finds none of the machine.
unshare --pid --fork --kill-child --mount --net bash -ec '
	ip link set lo up
	mount -t proc proc "$1/proc"
	while read -r device; do mount --bind "/dev/$device" "$1/dev/$device"; done 2>/dev/null <"$2" || true
	exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive bash /inside.sh
' - "$root" "$work/devices" </dev/null
