// Package bench puts load on a name server, ours or any other, and measures how it
// responds.
//
// A [Scenario] says what brokers and clients do; [Run] does it and returns a
// [Result]. Load is open loop (requests leave at their time, whatever the
// server does, and latency counts from that time) or closed loop (each
// connection keeps a number of requests unanswered). Every reply is checked.
//
// It knows the protocol by package codec and nothing of how our server works
// inside. The only thing it shares with the server is the machine.
package bench
