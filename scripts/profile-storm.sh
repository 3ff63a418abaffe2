#!/usr/bin/env bash
# Profiles our server under a storm of heartbeats and registrations.
# usage: profile-storm.sh [cpu|mem|mutex|block|trace] [DIR] [SCENARIO [FLAG...]]
# DIR gets the profile, its top table (top.txt), what nsbench saw (*.json) and
# the server's log. Without SCENARIO it is 5,000 brokers that beat twice a
# second, and then 8 that register again and again with new data versions.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-cpu}
dir=${2:-profiles/$(date -u +%Y-%m-%dT%H%M%SZ)-$kind}
shift $(($# < 2 ? $# : 2))
case $kind in
trace) file=trace.out ;;
*) file=$kind.pprof ;;
esac

make --no-print-directory build
mkdir -p "$dir"
printf 'bindAddress=127.0.0.1\nlistenPort=0\nkvConfigPath=\nadminServerPort=0\n' >"$dir/namesrv.properties"
bin/namesrv -c "$dir/namesrv.properties" --profile "$kind" --profileDir "$dir" >"$dir/namesrv.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT

address=
for _ in $(seq 300); do
	address=$(sed -n 's/^The Name Server boot success.*address //p' "$dir/namesrv.log")
	[ -z "$address" ] || break
	kill -0 "$server" 2>/dev/null || break
	sleep 0.1
done
if [ -z "$address" ]; then
	echo "the server has not started:" >&2
	cat "$dir/namesrv.log" >&2
	exit 1
fi

# storm NAME FLAG...: the load, whose figures a profile spoils.
storm() {
	echo "== $*"
	bin/nsbench run "$@" --target "$address" --pid "$server" --ceiling 0 --quiet --json "$dir/$1.json"
}
if [ $# -gt 0 ]; then
	storm "$@"
else
	storm heartbeat --brokers 5000 --topics 5000 --connections 1000 --hz 2 --duration "${STORM_DURATION:-10s}"
	storm register --bump --duration "${STORM_DURATION:-10s}"
fi

kill -TERM "$server"
wait "$server"
trap - EXIT
if [ "$kind" = trace ]; then
	echo "look at it with: go tool trace $dir/$file"
	exit
fi
show=(-top -nodecount=40)
[ "$kind" = mem ] && show+=(-sample_index=alloc_space)
go tool pprof "${show[@]}" bin/namesrv "$dir/$file" >"$dir/top.txt"
head -n 25 "$dir/top.txt"
echo "profile-storm: $dir"
