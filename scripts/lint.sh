#!/usr/bin/env bash
# Everything that can be said of the code without running it. The tools are
# pinned in tools.mod.
set -euo pipefail
cd "$(dirname "$0")/.."

tool() { go tool -modfile=scripts/tools.mod "$@"; }

go vet ./...
go vet -tags interop,soak ./...
tool staticcheck ./...
tool staticcheck -tags interop,soak ./internal/interop/ ./internal/soak/

unformatted=$(git ls-files -z '*.go' | xargs -0 go tool -modfile=scripts/tools.mod gofumpt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted by gofumpt:\n%s\n' "$unformatted" >&2
	exit 1
fi

go mod tidy -diff
# The other system and the other processor, tests included for the first.
GOOS=darwin GOARCH=arm64 go vet ./...
GOOS=linux GOARCH=arm64 go build ./...
echo "lint: ok"
