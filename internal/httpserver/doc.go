// Package httpserver is an HTTP server that strangers may reach: its listeners,
// its limits and its end. What is answered, a [http.Handler] says.
//
// It does not know name servers, requests of RocketMQ or the engine. A second
// listener is a second [Server].
//
// # What a peer can cost
//
// A connection lives in one goroutine and holds at most MaxHeaderBytes and 4 KiB
// of a request, 4 KiB of an answer, its stack, and what the handler allocates: 30
// KiB with a header of 8 KiB and a handler that allocates nothing. There are at
// most MaxConns at a time. One beyond that is closed as soon as it is accepted.
//
//   - Who sends slowly is closed after ReadTimeout, counted from the connection's
//     beginning or from the first byte of a later request. Header and body share it.
//   - Who reads slowly is closed after WriteTimeout, counted from the end of the
//     header. A handler that makes large answers holds each of them for as long.
//   - Who asks nothing is closed after IdleTimeout.
//   - Whose header is too long is answered 431. A body that the handler does not
//     read is read for it by net/http, 256 KiB at most, and thrown away.
//   - What net/http says of its peers goes to OnNoise, which limits it.
//
// So MaxConns peers who send slowly keep everybody out for ReadTimeout. Peers that
// need protection from each other need listeners of their own.
//
// # Its end
//
// A Server is a component (package component). The handler learns by itself that the
// program is about to end. Stop closes the listeners, lets answers under way finish
// for Options.Drain, closes what is left and returns when no goroutine is.
//
// Read server.go. Java has no counterpart.
package httpserver
