//go:build interop

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A broker writes nothing on a disk that is fuller than a share of it. Whoever sends is
// told "service not available now", code 14, and the broker's log names the disk.
//
//	4.3.0, 4.9.7  the share is the property below, 0.90 unless set
//	5.5.0         the same, but 0.90 at most, whatever is set
//
// It looks every 10 s, 5.5.0 from a minute after its start on: a test that is quick may
// get away with it.
// So a store goes to another disk where the one of the test is too full for its broker.
// Java: DefaultMessageStore.CleanCommitLogService.

// diskFlags let a broker write on a disk that is nearly full, as far as it listens.
var diskFlags = []string{
	"-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
	"-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
}

// writesUpTo returns how full a disk may be, in percent, for a broker to write there.
func writesUpTo(version string) int {
	if strings.HasPrefix(version, "5.") {
		return 90
	}
	return 99
}

const (
	diskMargin = 2         // percent that others may write while a test runs
	storeRoom  = 256 << 20 // bytes: more than any broker of the suite stores
)

// A disk is a folder and what is left on its disk.
type disk struct {
	folder string
	used   int    // percent, as a broker computes it
	free   uint64 // bytes
}

// Java: UtilAll#getDiskPartitionSpaceUsedPercent, which rounds up.
func diskOf(folder string) (disk, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return disk{}, fmt.Errorf("how full is the disk of %s: %w", folder, err)
	}
	used := uint64(fs.Blocks - fs.Bfree)
	all := max(used+uint64(fs.Bavail), 1)
	return disk{folder, int((used*100 + all - 1) / all), uint64(fs.Bavail) * uint64(fs.Bsize)}, nil
}

// takes reports whether a broker writes there, and will in some minutes.
func (d disk) takes(version string) bool {
	return d.used+diskMargin <= writesUpTo(version) && d.free >= storeRoom
}

func (d disk) String() string {
	return fmt.Sprintf("the disk of %s is %d %% full, %d MiB are free", d.folder, d.used, d.free>>20)
}

// placeStore returns the first disk on which a broker of this version writes.
func placeStore(version string, disks ...disk) (disk, error) {
	var seen []string
	for _, d := range disks {
		if d.takes(version) {
			return d, nil
		}
		seen = append(seen, d.String())
	}
	return disk{}, fmt.Errorf("a broker of %s writes up to %d %%, and shall have %d %% and %d MiB to spare: %s; make room, or set TMPDIR and GOTMPDIR to a folder on another disk",
		version, writesUpTo(version), diskMargin, storeRoom>>20, strings.Join(seen, "; "))
}

// memoryDisk is a disk that most systems have, and that is rarely full.
const memoryDisk = "/dev/shm"

// storeFolder returns where a broker with this home stores messages: in its home, or on
// another disk, from which it is removed when the test ends. Without a disk that will do
// the test fails here, and not where somebody sends.
func storeFolder(t *testing.T, version, home string) string {
	t.Helper()
	var disks []disk
	for _, folder := range []string{home, memoryDisk} {
		d, err := diskOf(folder)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err == nil {
			disks = append(disks, d)
		}
	}
	place, err := placeStore(version, disks...)
	if err != nil {
		fatalf(t, "start a broker: %v", err)
	}
	if place.folder == home {
		return filepath.Join(home, "store")
	}
	store, err := os.MkdirTemp(place.folder, "gonamesrv-interop-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(store) })
	t.Logf("%v, too full for a broker of %s: it stores in %s", disks[0], version, store)
	return store
}

func TestPlaceStore(t *testing.T) {
	t.Parallel()
	const plenty = 10 << 30
	shm := disk{memoryDisk, 1, plenty}
	for _, c := range []struct {
		name, version string
		used          int
		free          uint64
		others        []disk
		want          string // folder, or what the error says
	}{
		{"half full", "5.5.0", 50, plenty, []disk{shm}, "home"},
		{"5.5.0 and little below what it refuses", "5.5.0", 88, plenty, []disk{shm}, "home"},
		{"5.5.0 and about to be refused", "5.5.0", 89, plenty, []disk{shm}, memoryDisk},
		{"5.5.0 and full", "5.5.0", 95, plenty, []disk{shm}, memoryDisk},
		{"4.9.7, which listens to the property", "4.9.7", 97, plenty, []disk{shm}, "home"},
		{"4.3.0, which listens too", "4.3.0", 97, plenty, []disk{shm}, "home"},
		{"4.9.7 and full", "4.9.7", 98, plenty, []disk{shm}, memoryDisk},
		{"a small disk", "5.5.0", 20, storeRoom - 1, []disk{shm}, memoryDisk},
		{"no other disk", "5.5.0", 95, plenty, nil, "a broker of 5.5.0 writes up to 90 %, and shall have 2 % and 256 MiB to spare: the disk of home is 95 % full, 10240 MiB are free; make room"},
		{"another one that is small", "5.5.0", 95, plenty, []disk{{memoryDisk, 1, 64 << 20}}, "the disk of home is 95 % full, 10240 MiB are free; the disk of /dev/shm is 1 % full, 64 MiB are free"},
	} {
		place, err := placeStore(c.version, append([]disk{{"home", c.used, c.free}}, c.others...)...)
		got := place.folder
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDiskOf compares with df, which counts and rounds as Java does. Others may write
// between the two looks.
func TestDiskOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := diskOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("df", "-P", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("df: %v\n%s", err, out)
	}
	fields := strings.Fields(string(out))
	used, err := strconv.Atoi(strings.TrimSuffix(fields[len(fields)-2], "%"))
	if err != nil || d.used < used-1 || d.used > used+1 || d.free == 0 {
		t.Errorf("got %v; df says\n%s", d, out)
	}
	if _, err := diskOf("/there/is/no/such/folder"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: got %v", err)
	}
}

// TestBrokersMayFillTheDisk looks at the command line of a JVM, which is the same for all
// parties but for what its caller adds.
func TestBrokersMayFillTheDisk(t *testing.T) {
	needTools(t)
	t.Parallel()
	for _, version := range []string{"5.5.0", "4.9.7", "4.3.0"} {
		const main = "Main"
		argv := newJVM(t, version, t.TempDir()).argv(t, "", []string{"-Dmine=1"}, main, "-c", "FILE")
		for _, flag := range append([]string{"-Dmine=1"}, diskFlags...) {
			if at := slices.Index(argv, flag); at < 0 || at > slices.Index(argv, main) {
				t.Errorf("%s: no %s before the main class in %q", version, flag, argv)
			}
		}
	}
}
