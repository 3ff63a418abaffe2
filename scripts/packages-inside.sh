#!/usr/bin/env bash
# What packages-test.sh does within the bare Debian: not for any other machine.
set -euo pipefail

conf=/etc/gonamesrv/namesrv.properties
fail() { echo "packages-test: $*" >&2; exit 1; }
said() { echo "packages-test: $*"; }
is() { [ "$2" = "$3" ] || fail "$1: $2, want $3"; }
owned() { is "$1" "$(stat -c '%U:%G %a' "$1")" "$2"; }
next_came() { grep -q 'of the next version' "$1" || fail "$1 is not of the next version"; }
gone() { for f; do [ ! -e "$f" ] || fail "$f is still there"; done; }

# serving lists the processes of name servers.
serving() { grep -lx namesrv /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3 | paste -sd' ' || true; }

# start starts the server as the unit does, and waits until it answers.
start() {
	setpriv --reuid=rocketmq --regid=rocketmq --clear-groups env HOME=/var/lib/gonamesrv JAVA_OPT=-Duser.home=/var/lib/gonamesrv \
		/usr/bin/mqnamesrv -c "$conf" >/tmp/log 2>&1 &
	server=$!
	for _ in $(seq 1200); do
		if nsctl -n 127.0.0.1:9876 version >/tmp/version 2>&1 && grep -q gonamesrv /tmp/version; then
			return
		fi
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	cat /tmp/log /tmp/version >&2
	fail "it does not serve"
}

# end ends the server by Java's script.
end() {
	local text code=0
	text=$(mqshutdown namesrv)
	is "mqshutdown" "$text" "The mqnamesrv($server) is running...
Send shutdown request to mqnamesrv($server) OK"
	wait "$server" || fail "it ended with $?: $(cat /tmp/log)"
	text=$(mqshutdown namesrv) || code=$?
	is "mqshutdown without a server" "$code $text" "255 No mqnamesrv running."
	[ -n "$(ls /var/lib/gonamesrv/namesrv)" ] || fail "it has kept nothing in /var/lib/gonamesrv"
}

# installed looks at what must be there after an installation.
installed() {
	is "user" "$(getent passwd rocketmq | cut -d: -f6,7)" "/var/lib/gonamesrv:/usr/sbin/nologin"
	owned /etc/gonamesrv "rocketmq:rocketmq 750"
	owned "$conf" "rocketmq:rocketmq 640"
	owned /var/lib/gonamesrv "rocketmq:rocketmq 750"
	owned /usr/bin/namesrv "root:root 755"
	for f in /usr/bin/{nsctl,nsbench,mqnamesrv,mqshutdown} /usr/lib/systemd/system/gonamesrv.service \
		/usr/lib/sysusers.d/gonamesrv.conf /usr/share/bash-completion/completions/{nsctl,nsbench} \
		/usr/share/gonamesrv/monitoring/{rules.yml,board.json}; do
		[ -s "$f" ] || fail "$f is missing"
	done
	is "servers that run" "$(serving)" ""
	namesrv config check -c "$conf" >/dev/null 2>&1 || fail "the configuration is wrong"
	nsctl --version >/dev/null && nsbench --version >/dev/null
}

## Debian's
dpkg -i /this.deb >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
installed
# dpkg leaves documents out here; /etc/dpkg/dpkg.cfg.d may say so.
is "dpkg --audit" "$(dpkg --audit)" ""
is "dpkg --verify" "$(dpkg --verify gonamesrv | grep -v /usr/share/ || true)" ""
start
said "deb: installed, started, $(sed -n 's/.*gonamesrv *//p' /tmp/version)"

dpkg -i /next.deb >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
is "the server after an upgrade" "$(serving)" "$server"
next_came "$conf"
end
said "deb: upgraded while it served; the configuration came along; ended by mqshutdown"

dpkg -r gonamesrv >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
[ -s "$conf" ] || fail "removing took the configuration away"
gone /usr/bin/namesrv /usr/lib/systemd/system/gonamesrv.service
dpkg -P gonamesrv >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
gone /etc/gonamesrv /var/lib/gonamesrv /usr/share/gonamesrv
said "deb: removed, purged"

dpkg -i /this.deb >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
start
nsctl -n 127.0.0.1:9876 config set warmStart=shadow >/tmp/nsctl 2>&1 || fail "$(cat /tmp/nsctl)"
end
grep -qx 'warmStart=shadow' "$conf" || fail "the server has not replaced its file"
dpkg --force-confold -i /next.deb >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
grep -qx 'warmStart=shadow' "$conf" || fail "the upgrade took the change away"
next_came "$conf.dpkg-dist"
owned "$conf" "rocketmq:rocketmq 640"
installed
dpkg -P gonamesrv >/tmp/dpkg 2>&1 || fail "$(cat /tmp/dpkg)"
gone /etc/gonamesrv /var/lib/gonamesrv
said "deb: upgraded with a changed configuration, which stayed; purged"

## RPM's, for another user of the same name
userdel rocketmq
rpm() { command rpm --force-debian --nodeps "$@"; }
rpm -U /this.rpm || fail "rpm -U"
installed
is "rpm -V" "$(rpm -V gonamesrv 2>&1 | grep -v 'Unsatisfied\|/bin/sh' || true)" ""
start
rpm -U /next.rpm || fail "rpm -U"
is "the server after an upgrade" "$(serving)" "$server"
next_came "$conf"
end
said "rpm: installed, started, upgraded while it served; the configuration came along"

rpm -e gonamesrv || fail "rpm -e"
gone /usr/bin/namesrv "$conf"
rpm -U /this.rpm || fail "rpm -U"
echo 'warmStart=shadow' >>"$conf"
rpm -U /next.rpm || fail "rpm -U"
grep -qx 'warmStart=shadow' "$conf" || fail "the upgrade took the change away"
next_came "$conf.rpmnew"
rpm -e gonamesrv || fail "rpm -e"
grep -qx 'warmStart=shadow' "$conf.rpmsave" || fail "removing took the change away"
gone /usr/bin/namesrv /usr/share/gonamesrv /usr/share/doc/gonamesrv
said "rpm: upgraded with a changed configuration, which stayed; removed"
