// Package top is the screen of nsctl top: how name servers do, each second, and a table of
// brokers, topics, clients, events or queues below.
//
// It knows what the HTTP API of our server answers (docs/API.md) and what a terminal shows.
// It does not know how servers are found or asked: nsctl gives it functions for that.
//
//	run.go    a program on a terminal
//	feed.go   follows the stream of each server, asks for the table that is shown
//	shape.go  what is answered
//	model.go  what is known: Update, which neither asks nor reads a clock
//	keys.go   what keys do
//	tabs.go   the tables: their columns, and their rows of what is known
//	table.go  rows in order, filtered, and how wide columns are
//	view.go   the screen: View
//	line.go   texts in so many cells; colors; numbers, times
//	once.go   one picture, without a screen
//
// Messages come from the feed. Update alone changes a Model, on the goroutine of bubbletea.
// Whatever a server says goes through Options.Clean before it is shown, and everything that
// is kept has a bound: mostEvents, mostPoints, mostRows, mostText.
package top
