#!/usr/bin/env bash
# Writes bin/NAME.cdx.json for each program: what it is made of, in CycloneDX's form.
set -euo pipefail
cd "$(dirname "$0")/.."

CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...
for p in namesrv nsctl nsbench; do
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -output "bin/$p.cdx.json" "bin/$p"
done
