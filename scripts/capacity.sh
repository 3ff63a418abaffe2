#!/usr/bin/env bash
# Finds out what one server carries, over a grid of sizes, in a quarter of an hour. It
# takes 4 GB of memory. The machine may do something else too: memory and CPU time are
# measured, no latencies.
# usage: capacity.sh [DIR] [FLAG...]      (bench/results/DATE-capacity)
# DIR gets capacity.json and README.md. Flags are those of `nsbench capacity`. Without
# --connections there are as many as the limit of file descriptors allows, 50,000 at most.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=bench/results/$(date -u +%Y-%m-%d)-capacity
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
	dir=$1
	shift
fi
commit=$(git rev-parse HEAD)
git diff --quiet HEAD -- . ':!bench/results' || commit+=+dirty
make --no-print-directory build
go build -ldflags "-X main.revision=$commit" -o bin/ ./cmd/nsbench

most=$(ulimit -Hn)
connections=50000
if [ "$most" != unlimited ] && [ "$connections" -gt $((most - 1000)) ]; then
	connections=$((most - 1000))
	echo "capacity: $connections connections, as the limit of file descriptors is $most"
fi
mkdir -p "$dir"
nice -n 5 bin/nsbench capacity --namesrv bin/namesrv --connections "$connections" --json "$dir/capacity.json" "$@"
bin/nsbench capacity --read "$dir/capacity.json" --markdown >"$dir/README.md"
echo "capacity: $dir/README.md"
