#!/usr/bin/env bash
# Installs the programs of BIN (bin/) with all that goes with them: below DESTDIR, for
# PREFIX (/usr/local) and SYSCONFDIR (/etc). `make install` calls it, and so do releases.
# A configuration that is there stays. OS is the system that it is for, NATIVE a folder with
# the same programs for this one, which write their man pages and completions, LICENCES a file
# with what scripts/licences.sh --texts says for OS, which otherwise is asked.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BIN:-bin}
prefix=${PREFIX:-/usr/local}
conf=${SYSCONFDIR:-/etc}/gonamesrv
os=${OS:-$(go env GOHOSTOS)}
native=${NATIVE:-$bin}
root=${DESTDIR:-}$prefix
share=$root/share

# put MODE DIR FILE...
put() {
	local mode=$1 dir=$2
	shift 2
	install -d -m 755 "$dir"
	install -m "$mode" "$@" "$dir/"
}

put 755 "$root/bin" "$bin"/{namesrv,nsctl,nsbench} deploy/bin/*

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/man"
cp deploy/man/*.1 "$work/man/"
for program in nsctl nsbench; do
	"$native/$program" man "$work/man"
	"$native/$program" completion bash >"$work/$program"
	"$native/$program" completion fish >"$work/$program.fish"
	"$native/$program" completion zsh >"$work/_$program"
done
gzip -n -9 "$work/man"/*
put 644 "$share/man/man1" "$work/man"/*
put 644 "$share/bash-completion/completions" "$work"/{nsctl,nsbench}
put 644 "$share/fish/vendor_completions.d" "$work"/{nsctl,nsbench}.fish
put 644 "$share/zsh/site-functions" "$work"/{_nsctl,_nsbench}

put 644 "$share/gonamesrv/monitoring" deploy/monitoring/{rules.yml,board.json}
# The pages that README.md leads to lie as they do here.
put 644 "$share/doc/gonamesrv" LICENSE {README,CHANGELOG,CONTRIBUTING,SECURITY}.md
put 644 "$share/doc/gonamesrv/docs" docs/*.md
put 644 "$share/doc/gonamesrv/docs/images" docs/images/*
put 644 "$share/doc/gonamesrv/deploy" deploy/README.md
if [ -n "${LICENCES:-}" ]; then
	cp "$LICENCES" "$work/THIRD-PARTY-LICENCES.txt"
else
	GOOS=$os scripts/licences.sh --texts >"$work/THIRD-PARTY-LICENCES.txt"
fi
put 644 "$share/doc/gonamesrv" "$work/THIRD-PARTY-LICENCES.txt"

install -d -m 750 "${DESTDIR:-}$conf"
if [ ! -e "${DESTDIR:-}$conf/namesrv.properties" ]; then
	install -m 640 deploy/namesrv.properties "${DESTDIR:-}$conf/"
fi

if [ "$os" = linux ]; then
	sed "s|/usr/bin/namesrv|$prefix/bin/namesrv|; s|/etc/gonamesrv|$conf|" deploy/systemd/gonamesrv.service >"$work/gonamesrv.service"
	put 644 "$root/lib/systemd/system" "$work/gonamesrv.service"
	cp deploy/systemd/sysusers.conf "$work/gonamesrv.conf"
	put 644 "$root/lib/sysusers.d" "$work/gonamesrv.conf"
fi
