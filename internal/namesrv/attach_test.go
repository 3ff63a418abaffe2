package namesrv

import (
	"context"
	"testing"

	"gonamesrv/internal/component"
)

// An attached component must be able to answer "not ready" before peers are served
// and while they are sent away.
func TestAttachedSeesTheWholeLife(t *testing.T) {
	s, _ := newController(t, nil)
	var begin, end State
	s.Attach("witness", component.Func{
		OnStart: func(context.Context) error { begin = s.state(); return nil },
		OnStop:  func(context.Context) { end = s.state() },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if begin != StateStarting || end != StateDraining {
		t.Errorf("started in state %q, stopped in state %q", begin, end)
	}
}
