#!/bin/sh
# dpkg --purge takes along what the server has written. rpm knows no purge: it leaves what
# has been changed. The user stays, since files elsewhere may be its.
set -e
case $1 in
purge)
	rm -rf /etc/gonamesrv /var/lib/gonamesrv /var/log/gonamesrv
	;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
