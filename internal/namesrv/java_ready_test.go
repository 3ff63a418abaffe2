package namesrv_test

import (
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A waiting server lets its operator wait for brokers before it gives out routes.
// Its clock stands still but for the test; a broker has registered with T.
type waitingServer struct {
	*nstest.Client
	t     *testing.T
	since atomic.Int64 // the start
}

func startWaiting(t *testing.T, need bool, seconds int32) *waitingServer {
	w := &waitingServer{t: t}
	w.Client = start(t, func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = need, seconds }, func(s *namesrv.Server) {
		s.SetClock(func() time.Duration { return time.Duration(w.since.Load()) })
	}).dial(t)
	wantCode(t, w.Do(brokerA.Register()), codec.RespSuccess, "")
	return w
}

// after moves the clock and compares the answer to a route request.
func (w *waitingServer) after(since time.Duration, ready bool) {
	w.t.Helper()
	w.since.Store(int64(since))
	reply := w.Do(nstest.Route("T"))
	if ready {
		wantCode(w.t, reply, codec.RespSuccess, "")
	} else {
		wantCode(w.t, reply, codec.RespSystemError, "name server not ready")
	}
}

// A server that was to wait gives out routes when it has waited, or when the time
// to wait is none.
//
// Java: ClusterTestRequestProcessorTest#testNamesrvReady
func TestC02_testNamesrvReady(t *testing.T) {
	startWaiting(t, true, 45).after(46*time.Second, true)
	startWaiting(t, true, 0).after(0, true)
	startWaiting(t, true, -1).after(0, true)
}

// A server that need not wait gives out routes at once, however long it was to
// wait.
//
// Java: ClusterTestRequestProcessorTest#testNamesrvNoNeedWaitForService
func TestC03_testNamesrvNoNeedWaitForService(t *testing.T) {
	startWaiting(t, false, 45).after(0, true)
}

// A server that is to wait for 45 s refuses route requests until then.
//
// Java: ClusterTestRequestProcessorTest#testNamesrvNotReady
func TestC04_testNamesrvNotReady(t *testing.T) {
	w := startWaiting(t, true, 45)
	w.after(0, false)
	w.after(45*time.Second-1, false)
}

// A server that is to wait for 3 s refuses route requests at first, and gives out
// routes after 4 s, now and later.
//
// Java: ClusterTestRequestProcessorTest#testNamesrv
func TestC05_testNamesrv(t *testing.T) {
	w := startWaiting(t, true, 3)
	w.after(0, false)
	w.after(4*time.Second, true)
	w.after(4*time.Second, true)
	w.after(time.Hour, true)
}
