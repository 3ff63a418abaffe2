// Package httpserver is an HTTP server for strangers. It has listeners, limits and
// an orderly end. A [http.Handler] makes the answers.
//
// The package does not know name servers, requests of RocketMQ or the engine. A
// program that needs other limits for other peers makes a second [Server].
//
// # What a peer can cost
//
// A connection lives in one goroutine and holds at most MaxHeaderBytes and 4 KiB
// of a request, 4 KiB of an answer, its stack, and what the handler allocates: 30
// KiB with a header of 8 KiB and a handler that allocates nothing. There are at
// most MaxConns at a time. One beyond that is closed as soon as it is accepted.
//
//   - A peer that sends slowly is closed after ReadTimeout, counted from the
//     connection's beginning or from the first byte of a later request. Header and
//     body share it.
//   - A peer that reads slowly is closed after WriteTimeout, counted from the end of
//     the header. A handler that makes large answers holds each of them for as long.
//   - With Unhurried, WriteTimeout is for each write of the handler, which needs
//     bounds of its own.
//   - A peer that asks nothing is closed after IdleTimeout.
//   - A header that is too long is answered with 431. If the handler does not read
//     the body, net/http reads 256 KiB of it at most and throws them away.
//   - The messages of net/http about its peers go to OnNoise, which limits them.
//
// So MaxConns peers that send slowly keep everybody out for ReadTimeout. Peers that
// need protection from each other need listeners of their own.
//
// # Its end
//
// A Server is a component (package component). The handler must find out by itself that
// the program is about to end. Stop closes the listeners, lets answers under way finish
// for Options.Drain, closes what is left and returns when no goroutine is.
//
// Read server.go. Java has no counterpart.
package httpserver
