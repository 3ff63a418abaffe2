package namesrv

import (
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// GO_AWAY: the server is about to end.
//
// Sent to   peers newer than V5_3_1, in answer to whatever they ask, unless oneway
// Runs      on the event loop, from the signal on until the connection is closed
// Java      NettyRemotingAbstract#processRequestCommand, NettyRemotingServer#shutdown
// Differs   nobody new is accepted; connections are closed one by one; what is
//           oneway is carried out; sent without enableShutdownGracefully too, but
//           then not to those who ask for a route

// drainPace is the time between two closes, when there are few.
const drainPace = 10 * time.Millisecond

// startDraining is the first thing a server does that was told to end.
//
// Nothing it knows is forgotten from now on: brokers that go to other name
// servers are not gone, and nobody has to be told.
func (s *Server) startDraining() {
	s.draining.Store(true)
	s.late.drain()
	s.note(route.JournalServerDraining, route.EventDetails{})
	s.log.Info("shutting down", "connections", s.Snapshot().Engine.Open)
}

// drain is asked by the engine, after startDraining, how to part from the peers.
func (s *Server) drain() engine.Drain {
	c := s.config()
	if c.EnableShutdownGracefully {
		return engine.Drain{Limit: c.ShutdownWaitTime}
	}
	return engine.Drain{Limit: c.DrainTime, Pace: drainPace}
}

// mustGo reports whether a request is to be answered with GO_AWAY. Whoever is
// sent away comes back to the same address first. Unless somebody else serves
// that by then, the request fails, and for a Java client of 5.5.0 that asks for
// a route, the message it wanted to send with it. So routes are given to the
// end, unless the operator has asked for Java's way.
func (s *Server) mustGo(cmd *codec.Command) bool {
	if !s.draining.Load() || cmd.Version <= codec.V5_3_1 || cmd.Flag.IsOneway() {
		return false
	}
	return cmd.Code != codec.ReqGetRouteInfoByTopic || s.config().EnableShutdownGracefully
}
