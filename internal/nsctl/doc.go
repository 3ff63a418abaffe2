// Package nsctl is the program nsctl: it asks name servers, ours and Java's, and changes
// what they hold.
//
// A command either speaks the protocol of RocketMQ, which any name server answers, or
// reads the HTTP API of ours (docs/API.md). It shares nothing else with them. All servers
// are asked at once. What changes something goes to all of them, says before what it will
// do, and afterwards what has become of it.
//
//	nsctl.go      the commands, flags of all of them, exit codes
//	servers.go    asks all servers at once, by internal/client
//	questions.go  the requests, with their answers decoded
//	admin.go      asks the HTTP API: one answer, or a stream of events
//	reading.go    answers of the API, whole and as we understand them; lists page by page
//	follow.go     comes back to a stream that was cut off
//	print.go      prints what was found: table, wide, json, yaml, name
//	merge.go      one table of what all servers say
//	diff.go       compares servers; diff_look.go says when to look, diff_topics.go how
//	snapshot.go   keeps what a server knows in a file
//	top           the screen of nsctl top, a package of its own
//	change.go     changes something everywhere; confirm.go asks before
//	setting.go    sets keys of all servers, and sets them back
//	repeat.go     does it again and again
//	complete.go   what the tab key offers
//
// Each other file is the command of its name, with what is below it.
//
// The counterpart in RocketMQ is mqadmin (MQAdminStartup).
package nsctl
