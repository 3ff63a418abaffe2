#!/usr/bin/env bash
# Makes all that a release consists of: the same bytes from the same commit with the same Go.
# usage: release.sh [DIR]    (dist; what is in it is removed)
#
# RELEASE_TARGETS are systems and architectures, all four unless set; without linux/amd64
# and linux/arm64 there is no image. SOURCE_DATE_EPOCH is the time that all files bear,
# that of the commit unless set.
#
# It is made of a clone, so that nothing but the commit decides what it is. A tree with
# changes is taken as it is, for those who work on this.
set -euo pipefail
cd "$(dirname "$0")/.."

umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=0 GOFLAGS= GOAMD64=v1 GOARM64=v8.0
targets=${RELEASE_TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
version=$(sed -n 's/^const Release = "\(.*\)"$/\1/p' internal/version/version.go)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
tag=$(git describe --tags --exact-match 2>/dev/null || true)
if [ -n "$tag" ] && [ "$tag" != "v$version" ]; then
	echo "release: the commit has the tag $tag, and internal/version says $version" >&2
	exit 1
fi

dist=${1:-dist}
rm -rf "$dist"
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
vcs=auto
if [ -z "$(git status --porcelain)" ]; then
	vcs=true # whatever this machine's GOFLAGS say: the version has the commit
	git clone -q --shared . "$work/source"
	cd "$work/source"
else
	echo "release: the tree has changes, this is no release" >&2
fi

# bundle DIR NAME writes a tar of DIR/NAME in which nothing depends on time, place and umask.
bundle() {
	tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
		--mode=u+rwX,go+rX,go-w -C "$1" -cf - "$2"
}

# build OS/ARCH
build() { GOOS=${1%/*} GOARCH=${1#*/} go build -trimpath -buildvcs=$vcs -ldflags '-s -w' -o "$work/${1/\//-}/" ./cmd/...; }

echo "release: $version, $(go version)"
for t in $targets; do build "$t"; done
host=$(go env GOHOSTOS)/$(go env GOHOSTARCH)
[ -e "$work/${host/\//-}" ] || build "$host"
native=$work/${host/\//-}

# The same for each architecture, archive and package.
for os in linux darwin; do
	if [[ " $targets " == *" $os/"* ]]; then GOOS=$os scripts/licences.sh --texts >"$work/licences-$os.txt"; fi
done

# The mail address is asked for by the form; nobody answers there.
export MAINTAINER="gonamesrv <root@localhost>"

# pack OS/ARCH makes the archive and the packages of one target.
pack() {
	local os=${1%/*} arch=${1#*/} form
	local name=gonamesrv-$version-$os-$arch archive=$work/archive-$os-$arch
	export LICENCES=$work/licences-$os.txt
	# The archive can be unpacked anywhere; the unit in it is for /usr/local.
	BIN=$work/$os-$arch NATIVE=$native OS=$os DESTDIR=$archive PREFIX=/usr/local SYSCONFDIR=/usr/local/etc scripts/install.sh
	mv "$archive/usr/local" "$archive/$name"
	bundle "$archive" "$name" | gzip -n >"$dist/$name.tar.gz"
	rm -rf "$archive"
	[ "$os" = linux ] || return 0
	export STAGE=$work/stage-$arch ARCH=$arch VERSION=$version
	BIN=$work/$os-$arch NATIVE=$native OS=$os DESTDIR=$STAGE PREFIX=/usr scripts/install.sh
	find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	for form in deb rpm; do
		scripts/nfpm.sh package -f deploy/packages/nfpm.yaml -p "$form" -t "$dist/" >/dev/null
	done
}

case " $targets " in *" linux/"*) scripts/nfpm.sh --version >/dev/null ;; esac # it is there, then

# Side by side: most of it is gzip, which takes one processor.
jobs=()
for t in $targets; do
	pack "$t" &
	jobs+=($!)
done
if [[ " $targets " == *" linux/amd64 "* ]]; then
	scripts/sbom.sh "$work/linux-amd64" "$dist" "-$version" &
	jobs+=($!)
fi
for job in "${jobs[@]}"; do wait "$job"; done

if [[ " $targets " == *" linux/amd64 "* && " $targets " == *" linux/arm64 "* ]]; then
	for arch in amd64 arm64; do scripts/busybox.sh "$arch" "$work/busybox-$arch"; done
	mkdir "$work/licences"
	cp "$work/stage-amd64/usr/share/doc/gonamesrv"/{LICENSE,THIRD-PARTY-LICENCES.txt,docs/LICENCES.md} "$work/licences/"
	go -C internal/image run . -version "$version" -revision "$(git rev-parse HEAD)" -created "$SOURCE_DATE_EPOCH" \
		-in "$work" -scripts "$PWD/deploy/bin" -out "$dist"
	bundle "$dist/oci" . >"$dist/gonamesrv-$version-oci.tar"
	rm -r "$dist/oci"
fi

bundle deploy/helm gonamesrv | gzip -n -9 >"$dist/gonamesrv-chart-$version.tgz"
bundle deploy kubernetes | gzip -n -9 >"$dist/gonamesrv-kubernetes-$version.tar.gz"
(cd "$dist" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)
echo "release: $(wc -l <"$dist/SHA256SUMS") files in $dist"
