#!/usr/bin/env bash
# Writes NAME.cdx.json for each program: what it is made of, in CycloneDX's form. It has no
# date and no serial number: the same program has the same.
# usage: sbom.sh [BIN OUT SUFFIX]    (bin/, which is built, bin/, none)
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${1:-bin} out=${2:-bin}
[ $# -gt 0 ] || CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...
for p in namesrv nsctl nsbench; do
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -noserial -notimestamp \
		-output "$out/$p${3:-}.cdx.json" "$bin/$p"
done
