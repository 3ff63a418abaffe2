#!/usr/bin/env bash
# Prints where Debian's packages come from: DEBIAN_MIRROR, else where this machine takes
# them from, else Debian's own.
set -euo pipefail

mirror=${DEBIAN_MIRROR:-}
if [ -z "$mirror" ] && command -v apt-get >/dev/null; then
	mirror=$(apt-get indextargets --format '$(REPO_URI)' | sed -n 's|/*$||; /\/debian$/p' | head -n 1)
fi
echo "${mirror:-http://deb.debian.org/debian}"
