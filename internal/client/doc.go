// Package client asks name servers, ours or Java's: one connection, one request after
// the other.
//
// It does not know what requests mean, nor how the server works: codec has the bytes.
// What a server answers is a claim: there is a limit to its bytes and to the time that it
// may take, and what it announces costs nothing before it has come.
//
// The counterpart in RocketMQ is NettyRemotingClient#invokeSync.
package client
