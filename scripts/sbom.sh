#!/usr/bin/env bash
# Writes bin/NAME.cdx.json for each program: what it is made of, in CycloneDX's form.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p bin
for p in namesrv nsctl nsbench; do
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 app -json -licenses -std -main "cmd/$p" -output "bin/$p.cdx.json" .
done
