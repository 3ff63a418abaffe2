#!/usr/bin/env bash
# Runs every scenario of nsbench, small, against our own server, in a minute. It
# fails when a reply is wrong or missing; it does not judge times.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make --no-print-directory build BIN="$dir/bin" # whatever else is built meanwhile

runs=()
smoke() { runs+=("$*"); }

smoke route --rate 2000 --duration 1s --ceiling 500ms
smoke route --depth 16 --duration 1s --header ROCKETMQ
smoke miss --duration 1s
smoke heartbeat --brokers 500 --connections 500 --duration 2s
smoke heartbeat --brokers 100 --connections 100 --code both --duration 2s
smoke register --duration 1s
smoke register --duration 1s --bump --form split
smoke register --duration 1s --changed 1 --form compressed
smoke registrations --topics 2000 --duration 300ms
smoke storm --topics 4000 --connections 4 --rate 500 --duration 2s
smoke churn --duration 8s --rate 500
smoke restart --topics 2000 --rate 500 --duration 1s
smoke restart --topics 2000 --rate 500 --duration 1s --period 1s
smoke pause --rate 500 --duration 1s --period 1s --away 1s
smoke massclose --rate 500 --duration 1s --period 1s
smoke partition --rate 500 --duration 1s --period 1s --away 2s
smoke returning --rate 500 --duration 1s --away 200ms
smoke misses --rate 500 --duration 1s
smoke connections --connections 1000 --steps 2 --duration 200ms
smoke slowreader --slow-readers 4 --rate 500 --duration 3s
smoke mixed --rate 1000 --duration 2s
smoke beside --duration 1s
smoke jmh-a --topics 8000 --duration 1s
smoke jmh-b --topics 8000 --duration 1s
smoke -f bench/scenarios/jmh-c.yaml --topics 8000 --duration 1s
smoke jmh-d --topics 8000 --duration 1s
smoke 300x10000 --brokers 30 --topics 3750 --connections 8 --rate 500 --duration 1s
smoke black-friday --topics 1280 --connections 50 --rate 1000 --duration 2s
smoke restart-period --topics 500 --rate 500 --period 1s --duration 1s

# Most runs wait more than they compute, so some go side by side, each with a server and a
# port of its own. What a run prints stays together.
lanes=3

# lane N does every lanes-th run, one after the other, the first of them being N.
lane() {
	local n=$1 i port args
	# Below the ports that outgoing connections take, nobody's, and no other lane's.
	while port=$((20000 + n * 4000 + RANDOM % 4000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	printf 'bindAddress=127.0.0.1\nlistenPort=%s\nkvConfigPath=\nadminServerPort=0\n' "$port" >"$dir/$n.properties"
	for ((i = n; i < ${#runs[@]}; i += lanes)); do
		read -ra args <<<"${runs[i]}"
		if ! "$dir/bin/nsbench" run "${args[@]}" --target "127.0.0.1:$port" --quiet --warmup 200ms --timeout 60s --ceiling 0 \
			--server-log "$dir/$n.log" -- "$dir/bin/namesrv" -c "$dir/$n.properties" >"$dir/$n.out" 2>&1; then
			{ echo "== ${runs[i]}" && cat "$dir/$n.out" && tail -n 20 "$dir/$n.log"; } >&2
			return 1
		fi
		{ echo "== ${runs[i]}" && cat "$dir/$n.out"; }
	done
}

pids=()
for ((n = 0; n < lanes; n++)); do
	lane "$n" &
	pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
[ "$failed" -eq 0 ] || exit 1
echo "bench-smoke: ok"
