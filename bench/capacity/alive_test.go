package capacity

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A beater counts signs of life; it fails from the failing one on.
type beater struct {
	beats   atomic.Int32
	failing int32
}

func (b *beater) Beat(context.Context) error {
	if n := b.beats.Add(1); b.failing > 0 && n >= b.failing {
		return errors.New("nobody hears me")
	}
	return nil
}

// TestAlive: brokers are heard of often enough, however long something takes, and not after
// it. That they are not heard is an error.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b beater
		before := int32(0)
		err := alive(t.Context(), &b, func() error {
			for range 10 {
				time.Sleep(time.Minute) // connections are closed after two
				if now := b.beats.Load(); now <= before {
					t.Error("a minute went by without a sign of life")
				}
				before = b.beats.Load()
			}
			return errors.New("my own")
		})
		if err == nil || err.Error() != "my own" {
			t.Errorf("it fails with %v", err)
		}
		at := b.beats.Load()
		time.Sleep(time.Hour)
		if b.beats.Load() != at {
			t.Error("it goes on after its end")
		}
		b.failing = 1
		if err := alive(t.Context(), &b, func() error { return nil }); err == nil || !strings.Contains(err.Error(), "nobody hears") {
			t.Errorf("it fails with %v", err)
		}
	})
}
