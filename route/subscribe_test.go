package route

import (
	"errors"
	"fmt"
	"testing"
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
