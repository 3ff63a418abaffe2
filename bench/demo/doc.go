// Package demo shows a name server at work on one machine, without Java: it starts our
// server, and beside it a small cluster that is simulated, with clients.
//
// Brokers register as real ones do, over connections of their own. Every now and then one
// master is killed, and comes back. Nothing is measured here but how long clients are told
// of it; the load generator is package bench. The demo listens on the loopback only, ends
// by itself, and leaves nothing behind.
package demo
