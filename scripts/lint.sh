#!/usr/bin/env bash
# Checks the code without running it. tools.mod pins the tools.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/scripts/tools.mod
tool() { go tool -modfile="$tools" "$@"; }

go vet ./...
go vet -tags soak ./...
go vet -tags monitoring ./internal/admin/
tool staticcheck ./...
tool staticcheck -tags soak ./internal/soak/
tool staticcheck -tags monitoring ./internal/admin/

unformatted=$(git ls-files -z '*.go' | xargs -0 go tool -modfile="$tools" gofumpt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted by gofumpt:\n%s\n' "$unformatted" >&2
	exit 1
fi

go mod tidy -diff
go mod verify
scripts/licences.sh --check
# The code must build on macOS and on arm64 too, with its tests on macOS: as for a release, so
# that packages-check has it in its cache then, or has put it there.
GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet -trimpath ./...
GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -trimpath ./...

# The modules of the tests with real brokers and clients, and with a real browser, and of
# what makes images.
for module in interop browser image; do
	cd "internal/$module"
	go vet ./...
	go vet -tags "$module" ./...
	tool staticcheck -tags "$module" ./...
	go mod tidy -diff
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet -trimpath -tags "$module" ./...
	cd ../..
done
# And of what reads the chart. Nothing in it depends on the system, and what it is built of
# takes a minute to build for another.
cd internal/chart
go vet ./...
tool staticcheck ./...
go mod tidy -diff
cd ../..
echo "lint: ok"
