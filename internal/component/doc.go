// Package component starts what a program is made of, and stops it again.
//
// It does not know what the components do. A program puts them into a [List], in
// the order in which they need each other:
//
//	Start:  files ──► pools ──► scan ──► HTTP ──► engine
//	Stop:   files ◄── pools ◄── scan ◄── HTTP ◄── engine
//
// Each is started once all before it work, and stopped once all behind it have
// ended. If one cannot be started, those before it are stopped, in the same
// reverse order, and those behind it are never touched. Each component is stopped
// once, however often Stop is called.
//
// Every component has a time for its end. One that takes longer is left behind
// and named in the log; the others are stopped all the same.
//
// A component that is off is not in the list. So no method here has to cope with
// a component that is not there.
//
// Java has no counterpart: NamesrvController#start and #shutdown call their parts
// by name, and a failure between two of them leaves the former running.
package component
