#!/usr/bin/env bash
# Runs every fuzzer for a while, one after the other.
# usage: fuzz.sh TIME    (as go test -fuzztime takes it: 30s, 5m)
set -euo pipefail
cd "$(dirname "$0")/.."

for pkg in $(go list ./...); do
	dir=$(go list -f '{{.Dir}}' "$pkg")
	for name in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{print $2}'); do
		echo "== $pkg $name"
		go test -run='^$' -fuzz="^${name}\$" -fuzztime="$1" "$pkg"
	done
done
