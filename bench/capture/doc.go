// Package capture notes which requests clients and brokers send to a name server,
// and when: a Tap stands in front of the server, forwards all bytes untouched, and
// writes sizes, times and codes of the frames into a file, which package bench can
// send again.
//
// A capture has no names in it, only their keyed hashes, whose key is thrown away:
// the same name has the same hash within one file, and in no other. It has bodies
// only if they are asked for.
package capture
