// Package admin answers what people and their tools want to know about a running
// name server, over HTTP. It only reads: whatever changes the server is a request
// on the port of the name server, where one place decides who may.
//
//	listener ──► guard ──► row ──► handler ──► namesrv.Server, route.View
//
// The guard knows who asks (a role), and how often; a row says which role an
// endpoint needs; a handler knows neither. Each file of rows is one part of the
// API. Answers are JSON with camelCase names, errors are problems of RFC 9457.
//
// The package knows namesrv, which does not know it: the program brings the two
// together. Nothing here runs on an event loop.
//
// Pages for people (console.go) are made of what the functions of the read API return.
// The one thing that is sent here is the form with which a browser logs in (login.go).
//
// A probe (health.go) must have its answer from a server that hangs. So checks are
// functions of a namesrv.Health, which takes no lock.
//
// Read rows.go first. Java has no counterpart.
package admin
