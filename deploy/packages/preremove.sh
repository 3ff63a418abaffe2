#!/bin/sh
# dpkg says "remove" or "upgrade", rpm how many versions will be left. An upgrade lets the
# server serve.
set -e
case $1 in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl --quiet disable --now gonamesrv.service || true
	fi
	;;
esac
