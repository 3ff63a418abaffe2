package namesrv

import (
	"context"
	"errors"
	"time"

	"gonamesrv/internal/component"
)

const (
	// poolsTime is how long the pools may take to finish their requests when all
	// connections are closed: nobody can be told the results any more.
	poolsTime = 2 * time.Second

	// engineTime is how long the engine may take to stop beyond its drain.
	engineTime = 10 * time.Second
)

var errEngineStuck = errors.New("namesrv: the engine does not stop")

// components returns the parts of a running server, each behind those that it
// needs. A part that is off is left out. A new listener belongs before the engine,
// which is last: so everything else works before the first peer is served, and all
// peers have left before anything else is stopped.
//
// The scan, the damper, the peers, the journal's look at the server and the watchers of files end with their context, that is before
// the drain. So no broker is forgotten during the drain, and no answer is late.
func (s *Server) components(e *engineComponent) *component.List {
	l := component.NewList(s.log)
	if s.audit != nil {
		l.Add("audit log", component.Func{OnStart: s.audit.Start, OnStop: s.stopAudit})
	}
	for _, c := range s.attached {
		l.Add(c.name, c.Component)
	}
	l.Add("files", component.Func{OnStop: func(context.Context) { s.releaseFiles() }})
	if s.keeper != nil {
		l.AddSlow("snapshot keeper", s.keeper, func() time.Duration { return keeperTime })
	}
	l.Add("notifier", s.notifier)
	l.AddSlow("pools", component.Func{OnStart: s.startPools, OnStop: s.stopPools},
		func() time.Duration { return poolsTime + component.StopTime })
	if s.product != nil {
		l.Add("product environment", s.product)
	}
	l.Add("scan", component.Routine(s.scan))
	l.Add("damper", component.Routine(s.damper.run))
	l.Add("journal", component.Routine(s.watchSelf))
	l.Add("KV config log", component.Routine(s.logKVConfigs))
	if s.tls.used() {
		l.Add("TLS watcher", component.Routine(s.tls.watch))
	}
	if s.horizons.path != "" {
		l.Add("horizon watcher", component.Routine(s.horizons.watch))
	}
	if s.audit != nil {
		l.Add("audit limits", component.Routine(s.sweepAudit))
	}
	if s.rules.cfg.AccessFile != "" {
		l.Add("access watcher", component.Routine(s.rules.watch))
	}
	if s.atStart.AccessPreset != presetOpen || s.rules.cfg.AccessFile != "" {
		l.Add("crowd watcher", component.Routine(s.watchCrowd))
	}
	if s.peers != nil {
		l.Add("peers", component.Routine(s.peers.run))
	}
	if s.addresses != nil {
		l.Add("address server", s.addresses.http)
	}
	l.AddSlow("engine", e, func() time.Duration { return s.drain().Limit + engineTime })
	return l
}

// An attachedComponent is a part of the program that is not part of this package.
type attachedComponent struct {
	component.Component
	name string
}

// Attach makes Run start a component before everything else, and stop it after
// everything else has ended: it sees the whole life of the server. Before Run.
func (s *Server) Attach(name string, c component.Component) {
	s.attached = append(s.attached, attachedComponent{c, name})
}

// startPools makes the pools. They are there before anybody can ask for them.
func (s *Server) startPools(context.Context) error {
	s.pools = newPools(s.config(), s.budget, s.log)
	return nil
}

func (s *Server) stopPools(context.Context) {
	if !s.pools.close(poolsTime) {
		s.log.Warn("requests abandoned, they do not end")
	}
}

// An engineComponent runs the engine of a server.
type engineComponent struct {
	s    *Server
	stop context.CancelFunc

	ended chan struct{} // closed when the engine has
	err   error         // why; before ended is closed it is the engine's goroutine's
}

// Start returns when the engine serves. It does not end with ctx: the server says
// first that it drains.
func (e *engineComponent) Start(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop, e.ended = stop, make(chan struct{})
	go func() {
		defer close(e.ended)
		e.err = e.s.engine.Run(serving)
	}()
	select {
	case <-e.s.ready:
		return nil
	case <-e.ended:
		stop()
		return e.err
	}
}

// Stop drains.
func (e *engineComponent) Stop(ctx context.Context) {
	e.stop()
	select {
	case <-e.ended:
	case <-ctx.Done():
	}
}

// result returns why the engine has ended, after Stop.
func (e *engineComponent) result() error {
	select {
	case <-e.ended:
		return e.err
	default:
		return errEngineStuck
	}
}

// Run serves until ctx is done, then sends the peers away, for as long as the
// configuration says at most, and returns nil when every connection is closed and
// every goroutine has ended. A part that does not end in its time is named in the
// log and left behind. Run returns nil too if ctx is done before peers are served.
// Any other end is an error.
func (s *Server) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errors.New("namesrv: run twice")
	}
	defer s.ended.Store(true)
	defer s.closeAudit()
	s.journalStart()
	if s.Addr() == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	e := &engineComponent{s: s}
	parts := s.components(e)
	if err := parts.Start(ctx); err != nil {
		s.unlisten()
		s.releaseFiles() // "files" may not have had its turn
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	select {
	case <-ctx.Done():
		s.startDraining()
	case <-e.ended: // by itself
	}
	parts.Stop(context.Background())
	return e.result()
}
