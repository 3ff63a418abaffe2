#!/usr/bin/env bash
# Runs nfpm, which makes packages. It is built once, which takes longer than all that it does.
set -euo pipefail

dir=${XDG_CACHE_HOME:-$HOME/.cache}/gonamesrv-packages/nfpm-v2.45.2
if [ ! -x "$dir/nfpm" ]; then
	# Not for the system and not with the flags of the release that is being made.
	env -u GOOS -u GOARCH GOBIN="$dir" go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
fi
exec "$dir/nfpm" "$@"
