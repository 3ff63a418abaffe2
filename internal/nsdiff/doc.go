// Package nsdiff compares what name servers say: which brokers are registered, which
// topics there are and with which queues, the configuration, and the KV config.
//
// It does not know how servers are asked, nor when: callers give it answers. What it
// returns is in an order that depends only on what differs, never on the order in which
// servers list something.
//
//	ClusterInfo of each ─► Brokers ────────┐
//	Names, routes of each ─► Merge, Topic ─┼─► []Difference ─► Standing, Without
//	configuration of each ─► Config ───────┤
//	each namespace of each ─► KV ──────────┘
//
// What is no difference: the order of lists, quotes around the numbers in brokerAddrs,
// escapes (codec reads them), slaves that act as masters (a route says so, the cluster info
// does not; routes are compared by their queues only), zones and acting flags of sets
// (which member decides them differs between releases), and keys of the configuration that
// each server has for itself (IsLocalKey); a namespace of the KV config that is empty, and
// one that was never there.
//
// Memory: Names takes 8 bytes and the bytes of the name for each topic and server; all
// else goes with the number of differences, of which at most MaxDifferences are kept.
// Merge keeps one topic of each server.
//
// Read difference.go first. internal/namesrv/peers_diff.go compares a server with its
// peers by the same rules.
package nsdiff
