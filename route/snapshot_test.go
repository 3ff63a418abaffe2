package route

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// snapshotHeader is one with something in each field.
func snapshotHeader() *SnapshotHeader {
	return &SnapshotHeader{
		Identity: "name-server", Hostname: "host.example.com", ProcessID: "0b9b3cf4-3f33-4d8c-8b39-5cf6c7a4a1de", Reason: "a broker joined",
		ServerVersion: "1.2.3", Sequence: 7, WrittenMillis: 1_700_000_000_001,
		Stamp: SnapshotStamp{Number: 3, WallMillis: 1_700_000_000_002, BootID: "5f1c8b4e-0f0a-4c52-9d11-54a5e30b2c11", BoottimeNanos: 987_654_321},
	}
}

// snapshotOf returns the snapshot of a View, and its size.
func snapshotOf(tb testing.TB, v *View, nowMillis int64) ([]byte, SnapshotSize) {
	tb.Helper()
	var b bytes.Buffer
	size, err := WriteSnapshot(&b, snapshotHeader(), v, nowMillis, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if size.Bytes != int64(b.Len()) {
		tb.Fatalf("%d bytes written, %d counted", b.Len(), size.Bytes)
	}
	return b.Bytes(), size
}

// TestSnapshotRoundTrip: what a snapshot says is what Save says, after any history.
func TestSnapshotRoundTrip(t *testing.T) {
	most := SnapshotSize{}
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, table: New(Options{}), ref: newReference(false, Limits{}), now: 1_000_000}
		check := func() {
			v := h.table.View()
			want := v.Save(h.now)
			b, size := snapshotOf(t, v, h.now)
			header, got, err := ReadSnapshot(b, 0)
			if err != nil {
				rt.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("read\n%+v\nwant\n%+v", got, want)
			}
			wantHeader := snapshotHeader()
			wantHeader.Major, wantHeader.Minor, wantHeader.AtMillis, wantHeader.Edition = 1, 0, h.now, v.Edition()
			if *header != *wantHeader {
				rt.Fatalf("read %+v, want %+v", header, wantHeader)
			}
			for _, n := range []struct{ most, size *int64 }{{&most.Topics, &size.Topics}, {&most.Mappings, &size.Mappings}, {&most.Offers, &size.Offers}, {&most.Sets, &size.Sets}} {
				*n.most = max(*n.most, *n.size)
			}
		}
		if rapid.Bool().Draw(rt, "in steps") {
			h.table.stepWork = 1
			h.table.betweenSteps = check
		}
		if rapid.IntRange(0, 3).Draw(rt, "crowded") == 0 {
			h.crowd()
		}
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			h.step()
		}
		check()
	})
	if most.Topics < 5 || most.Mappings < 2 || most.Offers < 3 || most.Sets < 3 {
		t.Errorf("the histories came to %+v at most: hardly anything has been tried", most)
	}
}

var (
	_ = binary.BigEndian
	_ = errors.Is
	_ = flag.Bool
	_ = fmt.Sprint
	_ = crc32.New
	_ = netip.Addr{}
	_ = os.Stdout
	_ = filepath.Join
	_ = runtime.GC
	_ = slices.Sort[[]int]
	_ = strings.Clone
	_ = codec.DialectStrict
)
