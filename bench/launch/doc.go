// Package launch starts name servers to be loaded: ours, Java's from Maven
// Central, a bare echo, or any command.
//
// A [Spec] says which one. Each [Server] made of it listens on a free port of
// the loopback, lives in a temporary folder that is also its home, answers
// before Start returns, and leaves nothing behind when it is closed. It knows
// nothing of load; it implements bench.Server.
package launch
