package route

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// patience bounds every wait of a test: far longer than anything takes.
const patience = 2 * time.Minute

// TestSubscribe: signals are coalesced, a subscriber that does not listen holds
// nobody up, and whoever has received finds the newest View.
func TestSubscribe(t *testing.T) {
	table := registered(t, 1, 2)
	var all []<-chan struct{}
	var cancels []func()
	for range maxSubscribers {
		changed, cancel, err := table.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		all, cancels = append(all, changed), append(cancels, cancel)
	}
	if _, _, err := table.Subscribe(); !errors.Is(err, ErrSubscribers) {
		t.Errorf("one more: %v, want %v", err, ErrSubscribers)
	}
	for i := range 10 {
		mustRegister(t, table, benchRegistration(1+i, benchBody(0, 2, 1, never)))
	}
	for i, changed := range all {
		if len(changed) != 1 {
			t.Fatalf("subscriber %d has %d signals", i, len(changed))
		}
		<-changed
	}
	cancels[0]()
	cancels[0]()
	table.DeleteTopic(string(benchTopic(0)))
	if len(all[0]) != 0 || len(all[1]) != 1 {
		t.Errorf("%d signals after cancel, %d without, want 0 and 1", len(all[0]), len(all[1]))
	}
	if _, cancel, err := table.Subscribe(); err != nil {
		t.Errorf("no room after a cancel: %v", err)
	} else {
		cancel()
	}
	for _, cancel := range cancels {
		cancel()
	}
	if n := len(table.subscribers.list()); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
}

// TestSubscriberSeesTheLast lets one goroutine change and another follow: when
// the changes are over, the follower has been signalled of the last View.
func TestSubscriberSeesTheLast(t *testing.T) {
	table := registered(t, 1, 2)
	changed, cancel, err := table.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	last := table.View()
	copied := copyOfView(last)
	const brokers = 200
	go func() {
		for i := range brokers {
			_, _ = table.RegisterBroker(1, benchRegistration(1+i, benchBody(0, 2, 1, never)))
		}
	}()
	for deadline := time.After(patience); last.BrokerCount() <= brokers; {
		select {
		case <-changed:
			v := table.View()
			if faults := copied.apply(Diff(last, v)); faults != nil {
				t.Fatal(faults)
			}
			last = v
		case <-deadline:
			t.Fatalf("no signal of View %d, the last seen is %d", table.View().Edition(), last.Edition())
		}
	}
	if d := copied.differs(copyOfView(last)); d != "" {
		t.Error(d)
	}
}

// TestSignalledOfWhatIsThere: nobody is signalled of a View that is not there yet.
func TestSignalledOfWhatIsThere(t *testing.T) {
	table := registered(t, 1, 2)
	changed, cancel, err := table.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	asked := 0
	table.viewStored = func() {
		asked++
		if len(changed) != 0 {
			t.Error("the signal comes before the View")
		}
	}
	table.DeleteTopic(string(benchTopic(0)))
	if asked != 1 || len(changed) != 1 {
		t.Errorf("%d Views, %d signals, want 1 and 1", asked, len(changed))
	}
}

// TestSlowOnEventHoldsUp makes changes while OnEvent does not return. So many
// events may wait; who makes one more waits too, and everybody gets on when OnEvent
// does. Each is told once, in order.
func TestSlowOnEventHoldsUp(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine at a time")
	}
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		told := 0
		table := New(Options{OnEvent: func(e Event) {
			<-goOn
			if e.Kind == BrokerRegistered {
				if want := benchRegistration(told, nil).BrokerName; e.BrokerName != want {
					t.Errorf("event %d is of %s, want %s", told, e.BrokerName, want)
				}
				told++
			}
		}})
		body := benchBody(0, 0, 1, never)
		go func() { _, _ = table.RegisterBroker(1, benchRegistration(0, body)) }()
		synctest.Wait()
		const waiting = maxUntold
		for i := range waiting {
			mustRegister(t, table, benchRegistration(1+i, body))
		}
		var late atomic.Bool
		go func() {
			_, _ = table.RegisterBroker(1, benchRegistration(waiting+1, body))
			late.Store(true)
		}()
		synctest.Wait()
		if late.Load() {
			t.Errorf("%d events wait, and nobody is held up", waiting+1)
		}
		if n := table.View().BrokerCount(); n != waiting+2 {
			t.Errorf("%d brokers are to be seen, want %d", n, waiting+2)
		}
		close(goOn)
		synctest.Wait()
		if !late.Load() || told != waiting+2 {
			t.Errorf("late: %v; %d events were told, want %d", late.Load(), told, waiting+2)
		}
	})
}

// TestEventsInOrder makes a change while the events of the one before are still
// being told: its own come after them, although it has been published and is done.
func TestEventsInOrder(t *testing.T) {
	var told []Event // one at a time
	telling, goOn := make(chan struct{}), make(chan struct{})
	table := New(Options{OnEvent: func(e Event) {
		if e.BrokerName == "broker-00000" && e.Kind == BrokerRegistered {
			close(telling)
			<-goOn
		}
		told = append(told, e)
	}})
	done := make(chan struct{}, 3)
	change := func(broker int) {
		_, _ = table.RegisterBroker(1, benchRegistration(broker, benchBody(0, 2, 1, never)))
		done <- struct{}{}
	}
	go change(0)
	<-telling
	go change(1)
	for deadline := time.Now().Add(patience); table.View().BrokerCount() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second change waits for the events of the first before it is published")
		}
	}
	<-done // the second: who is telling already tells of it too
	change(2)
	<-done
	close(goOn)
	<-done
	if len(told) != 3 {
		t.Fatalf("events %+v", told)
	}
	for i, e := range told {
		if want := fmt.Sprintf("broker-%05d", i); e.BrokerName != want || e.Edition != told[0].Edition+uint64(i) {
			t.Errorf("event %d is of %s in View %d, want %s in %d", i, e.BrokerName, e.Edition, want, told[0].Edition+uint64(i))
		}
	}
}
