// Package group keeps the processes of one server together: the one that was
// started, and all that it has started. RocketMQ's own mqnamesrv is a shell
// script that runs another, which starts the JVM.
//
// A server's processes are the group that its first process leads, and the
// descendants of those. They are measured together and ended together.
package group
