#!/usr/bin/env bash
# Lets schemathesis ask a server for whatever it makes out of openapi.json: half a minute.
# It is a program in Python; it goes into .cache/ with what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
venv=$PWD/.cache/schemathesis-$version
if [ ! -x "$venv/bin/st" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$version"
fi
GONAMESRV_SCHEMATHESIS=$venv/bin/st go test -count=1 -vet=off -v -timeout 10m -run '^TestSchemathesis$' ./internal/admin
