package route

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// A snapshot is a View as bytes: what a file keeps for the next process. This file
// says how they lie; snapshot_header.go how the header does, snapshot_write.go and
// snapshot_read.go have what makes and reads them. Nothing here knows files or
// clocks.
//
//	offset 0       "GNSROUTE", major, minor
//	offset 10      header section; its crc is of everything before, from offset 0 on
//	offset 3072    two stamps of 512 bytes
//	offset 4096    sections
//	the end        end section
//
// A section is
//
//	kind     u8
//	flags    u8   bit 0: the payload is deflated
//	length   u32  of the payload, at most 1 MiB
//	payload       if deflated: u32, its length once inflated, at most 1 MiB; then the deflate stream
//	crc      u32  CRC-32C of everything before, from kind on
//
// The payloads of one kind, one after the other, are one text: a record may begin in
// one section and end in the next. Numbers are big-endian, or varints as in
// encoding/binary; a string is its length as a varint, and its bytes. What a kind
// consists of:
//
//	sets      name, cluster, number of members; of each member: ID, address, flags, zone if it has one,
//	          filter servers and numbers of live entries, both after their count
//	lives     cluster, address, HA address, data version, flags, time-out, silence, interval, peer
//	topics    name, number of rows; of each row: how many sets have been passed over since the row before, twice, plus 1 if the
//	          offer is not the one of the row before, of whatever topic; if so the number of the offer
//	mappings  how many topics after that of the one before, broker name, topic, scope, queues, epoch, flags, queue numbers after their count
//	offers    queues to read and to write, permission, flags of the topic
//	end       counts of all of them, bytes of all texts, number of the sections before, CRC-32C of their crcs
//
// A reader passes over sections of kinds below 128 that it does not know. A kind that
// it has to know is 128 or above. A new minor version adds kinds, and changes none.
const (
	snapshotMagic = "GNSROUTE"
	snapshotMajor = 1
	snapshotMinor = 0

	maxSection      = 1 << 20
	sectionHead     = 6 // kind, flags, length
	sectionTail     = 4 // crc
	deflatedSection = 1 // flag
)

// The kinds of sections.
const (
	headerKind = 128 + iota
	setsKind
	livesKind
	topicsKind
	mappingsKind
	offersKind
	endKind
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A SnapshotSize is how much is in a snapshot.
type SnapshotSize struct {
	Bytes      int64 // of the snapshot
	PlainBytes int64 // of its texts, once inflated

	Sets, Lives, Topics, Rows, Mappings, Offers int64
}

// ErrNotSnapshot says that bytes do not begin as a snapshot does.
var ErrNotSnapshot = errors.New("route: not a snapshot of routes")

// A SnapshotVersionError says that a snapshot is one of another major version, or
// has a section that a reader has to know and this one does not.
type SnapshotVersionError struct {
	Major, Minor uint8
	Kind         uint8 // of the unknown section; 0 if it is the major version
}

func (e *SnapshotVersionError) Error() string {
	if e.Kind != 0 {
		return fmt.Sprintf("route: snapshot of version %d.%d has an unknown section of kind %d", e.Major, e.Minor, e.Kind)
	}
	return fmt.Sprintf("route: snapshot has version %d.%d, want %d", e.Major, e.Minor, snapshotMajor)
}

// A SnapshotDamageError says that a snapshot is not as it was written, or that no
// View can have been written like that.
type SnapshotDamageError struct {
	Section int    // the section at which it was found, counted from 0; -1 if it is in what several say together
	Offset  int64  // where that begins; -1
	Problem string // what is wrong
}

func (e *SnapshotDamageError) Error() string {
	if e.Section < 0 {
		return "route: snapshot is damaged: " + e.Problem
	}
	return fmt.Sprintf("route: snapshot is damaged in section %d at offset %d: %s", e.Section, e.Offset, e.Problem)
}

// A SnapshotSizeError says that a snapshot takes more memory than it may.
type SnapshotSizeError struct{ Bytes, Most int64 }

func (e *SnapshotSizeError) Error() string {
	return fmt.Sprintf("route: snapshot has %d bytes once inflated, at most %d are read", e.Bytes, e.Most)
}
