// Package soak lets many kinds of peers use a name server at the same time, for as long
// as the caller chooses: brokers that register, storms of topics, readers with and without
// TLS, peers that do not read, garbage, half frames and resets. All the time the server
// must answer requests for the routes of registered brokers. At the end it must hold no
// more memory, goroutines and descriptors than at the beginning.
//
//	make soak SOAKTIME=10m
//
// The tests have the build tag soak. The server runs in a process of its own, so that the
// figures do not count the peers.
package soak
