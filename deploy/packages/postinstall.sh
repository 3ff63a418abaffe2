#!/bin/sh
# Nothing is started here, nor restarted: when a name server ends is for its operator to say.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if systemctl --quiet is-active gonamesrv.service; then
		echo "gonamesrv: the old program serves until: systemctl restart gonamesrv"
	else
		echo "gonamesrv: to start it, now and at each boot: systemctl enable --now gonamesrv"
	fi
fi
