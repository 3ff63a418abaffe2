// Package bench puts load on a name server, ours or any other, and measures how it
// responds.
//
// A [Scenario] says what brokers and clients do; [Run] does it and returns a
// [Result]. Load is open loop (requests leave at their time, whatever the
// server does, and latency counts from that time) or closed loop (each
// connection keeps a number of requests unanswered). Every reply is checked.
//
// Scenarios that do something to the server or to its brokers (restart, pause,
// massclose, partition, returning) count what clients are told of routes
// meanwhile: lookups that fail, and routes that are shrunken, which do more harm:
// see [Survival].
//
// It knows the protocol by package codec and nothing of how our server works
// inside. The only thing it shares with the server is the machine.
package bench
