#!/usr/bin/env bash
# Measures the full set of figures: ours against the Java NameServer and a
# server that only echoes. It takes hours; use a machine that does nothing else.
# usage: bench-results.sh [DIR]      (bench/results/DATE)
# DIR gets NAME.json (all runs), NAME.txt (the table), log.txt, and README.md with
# command, commit, machine, goals and tables. The figures of a run that failed
# are left out, and the script fails in the end.
#
# BENCH_ROUNDS, BENCH_DURATION, BENCH_WARMUP and BENCH_JVM_WARMUP change the
# lengths, BENCH_JAVA the releases ("" is none), BENCH_OTHER names one more server
# as `nsbench compare --command` does, BENCH_ONLY takes the sets whose name it
# matches as a regular expression, BENCH_FLAGS are added to each.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

rounds=${BENCH_ROUNDS:-5}
duration=${BENCH_DURATION:-10s}
warmup=${BENCH_WARMUP:-still}
jvm=${BENCH_JVM_WARMUP:-20s}
dir=${1:-bench/results/$(date -u +%Y-%m-%d)}

commit=$(git rev-parse HEAD) && { git diff --quiet HEAD -- . ':!bench/results' || commit+=+dirty; } || exit 1
make --no-print-directory build && go build -ldflags "-X main.revision=$commit" -o bin/ ./cmd/nsbench || exit 1
mkdir -p "$dir" || exit 1

failed=()
plain=(--namesrv bin/namesrv)
ours=("${plain[@]}")
# bench NAME floor|none|since5 SCENARIO FLAG...: with the floor or not, or
# without releases before 5.0, which do not know the request. What only asks
# leaves a server as it was, which is kept for all rounds then.
bench() {
	local name=$1 servers=("${ours[@]}") release
	[[ $name =~ ${BENCH_ONLY:-.} ]] || return 0
	[ "$2" = floor ] && servers+=(--floor)
	for release in ${BENCH_JAVA-5.5.0 4.9.7}; do
		[[ $2 == since5 && $release == 4.* ]] || servers+=(--java "$release")
	done
	[ -z "${BENCH_OTHER:-}" ] || servers+=(--command "$BENCH_OTHER")
	if [ ${#servers[@]} -le 2 ]; then
		echo "== $name: nobody to compare with"
		return 0
	fi
	[[ $name =~ ^(route|miss$|heartbeat) ]] && servers+=(--keep)
	shift 2
	echo "== $name: $*"
	case $1 in # these have lengths of their own
	churn | connections) ;;
	*) set -- "$@" --warmup "$warmup" --duration "$duration" ;;
	esac
	# shellcheck disable=SC2086 # BENCH_FLAGS are words
	bin/nsbench compare "$@" --timeout 1m --rounds "$rounds" "${servers[@]}" --jvm-warmup "$jvm" \
		--json "$dir/$name.json" --quiet ${BENCH_FLAGS:-} >"$dir/$name.txt" 2>>"$dir/log.txt"
	case $? in
	0) ;;
	99) echo "   a goal is missed, or not decided" ;; # the table of goals says which
	*)
		echo "   failed, see $dir/log.txt"
		failed+=("$name")
		;;
	esac
}

: >"$dir/log.txt"
big=(--brokers 32 --topics 40000 --brokers-per-topic 8) # 32 x 10,000
goals() { # NAME: its scenario file, which has the goals of the project as thresholds
	local file=bench/scenarios/goals-$1.yaml
	if grep -q 'java 5.5.0' "$file" && [[ " ${BENCH_JAVA-5.5.0 4.9.7} " != *" 5.5.0 "* ]]; then
		echo "== $1: its goals are ratios to java 5.5.0"
		return 0
	fi
	bench "$1" "$2" -f "$file"
}
goals route-64x1 floor
goals route-1000x1 floor
goals route-64x16 floor
bench route-5000 floor route --rate 5000
bench route-30000 floor route --rate 30000
bench miss floor miss
goals storm none
goals register-same floor
goals register-bump floor
bench register-changed none register "${big[@]}" --registrars 2 --changed 1
bench registrations none registrations --brokers 4 --topics 20000 --brokers-per-topic 2
bench heartbeat since5 heartbeat --brokers 5000 --topics 5000 --connections 5000
bench heartbeat-322 none heartbeat --brokers 5000 --topics 5000 --connections 5000 --code 322
bench churn none churn
bench restart none restart
bench restart-period none restart --period 30s
bench massclose none massclose
bench returning none returning
# The goal is of a server that damps misses. As it comes it only counts them.
ours=(--command "namesrv=sh -c 'echo missDamping=enforce >>{dir}/namesrv.properties; exec \"$PWD/bin/namesrv\" -c {dir}/namesrv.properties'")
goals misses none
ours=("${plain[@]}")
bench connections none connections
bench slowreader none slowreader
bench mixed none mixed --code 322
bench jmh-a none jmh-a
bench jmh-b none jmh-b
bench jmh-c none jmh-c
bench jmh-d none jmh-d

bin/nsbench results "$dir" >"$dir/README.md" || exit 1
echo "bench-results: $dir/README.md"
if [ ${#failed[@]} -gt 0 ]; then
	echo "failed: ${failed[*]}" >&2
	exit 1
fi
