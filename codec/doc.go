// Package codec says what the bytes of RocketMQ's remoting protocol mean, as
// far as a name server speaks it: frames, both forms of the command header,
// and every header and body of its requests and replies.
//
// It knows nothing of sockets, of brokers that live or die, of clocks or of
// logs: it turns bytes into values and values into bytes, and returns errors.
//
// One frame is one Command:
//
//	+----------------+----------------------+--------------+------------+
//	| length   int32 | header word    int32 | header bytes | body bytes |
//	+----------------+----------------------+--------------+------------+
//	 length      = 4 + header + body; it does not count itself
//	 header word = serialize type << 24 | header length
//
// All integers are big endian. The header is a flat JSON object or RocketMQ's
// binary form; the serialize type says which. The arguments of a request are its
// ext fields, all of them strings. The body holds lists and tables, as JSON.
//
// That JSON is fastjson's. It reads much that is not JSON (jsonReader) and
// writes two dialects, one of which is not JSON either (Dialect). Where this
// package and encoding/json disagree, Java decides.
//
// Functions are safe for use by several goroutines at once; values are not.
// Decode borrows: it returns windows into the frame or body it was given, unless
// its comment says that they are owned. Encoders append to a slice that the
// caller brings.
//
// A number from the network is a claim: every length and count is compared
// with what is left before anything is cut or allocated, nesting ends at a
// fixed depth, inflating at a fixed size.
//
// Start reading with command.go, then header_json.go and register_body.go.
//
// The counterpart in Java is the package org.apache.rocketmq.remoting.protocol
// of RocketMQ 5.3.3 with fastjson 1.2.83. A comment with "Java:" names the class
// and method there from which a rule was taken.
package codec
