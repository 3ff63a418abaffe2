#!/bin/sh
# Before the files are there: some of them belong to this user. One that is there stays as
# it is.
set -e
if ! getent passwd rocketmq >/dev/null; then
	getent group rocketmq >/dev/null || groupadd --system rocketmq
	useradd --system --gid rocketmq --home-dir /var/lib/gonamesrv --no-create-home \
		--shell /usr/sbin/nologin --comment 'Name server of RocketMQ' rocketmq
fi
