// Package soak runs a name server under everything at once for a chosen time:
// registrations, storms, readers, peers that do not read, garbage, half
// frames, resets and TLS. At the end memory, goroutines and descriptors must
// be back where they began, and every registered route must have been answered
// all the time.
//
//	make soak SOAKTIME=10m
//
// The tests are behind the build tag soak. The server runs in a process of its
// own, so that its figures are its own.
package soak
