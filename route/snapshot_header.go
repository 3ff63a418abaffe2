package route

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// SnapshotHeadSize is how many bytes at the beginning of a snapshot are enough for
// ReadSnapshotHeader.
const SnapshotHeadSize = 4096

const (
	headerSectionAt  = 10
	stampsAt         = 3072
	stampSize        = 512
	maxHeaderText    = 255
	maxBootIDLength  = 64
	headerNumbers    = 4 * 8 // before the texts of the header section
	headerPayloadLen = stampsAt - headerSectionAt - sectionHead - sectionTail
)

// A SnapshotHeader says whose a snapshot is and when it was right. Who writes one
// fills it in; Edition and AtMillis are those of the View, and Major and Minor those
// that this package writes.
type SnapshotHeader struct {
	Major, Minor uint8

	// Texts of at most 255 bytes, each of which may be empty.
	Identity      string // of the name server, by its configuration
	Hostname      string
	ProcessID     string // of one process among all: a UUID
	Reason        string // why it was written
	ServerVersion string

	Sequence      uint64 // counts what a process writes
	WrittenMillis int64  // when it was written, by the wall clock
	AtMillis      int64  // the same by the clock of the Table
	Edition       uint64 // of the View

	Stamp SnapshotStamp // when it was last known to be right
}

// A SnapshotStamp is a moment at which a snapshot was as the tables were.
type SnapshotStamp struct {
	Number        uint64 // of two stamps the one with the higher number counts
	WallMillis    int64
	BootID        string // which start of the machine; at most 64 bytes
	BoottimeNanos int64  // of CLOCK_BOOTTIME
}

// appendHead appends all that lies before the sections.
func (h *SnapshotHeader) appendHead(dst []byte) ([]byte, error) {
	texts := []string{h.Identity, h.Hostname, h.ProcessID, h.Reason, h.ServerVersion}
	for _, text := range texts {
		if len(text) > maxHeaderText {
			return dst, fmt.Errorf("route: a text of a snapshot's header has %d bytes, at most %d", len(text), maxHeaderText)
		}
	}
	stamp, _, err := h.Stamp.At()
	if err != nil {
		return dst, err
	}
	from := len(dst)
	dst = append(dst, snapshotMagic...)
	dst = append(dst, snapshotMajor, snapshotMinor, headerKind, 0)
	dst = binary.BigEndian.AppendUint32(dst, headerPayloadLen)
	for _, n := range []uint64{h.Sequence, uint64(h.WrittenMillis), uint64(h.AtMillis), h.Edition} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	for _, text := range texts {
		dst = appendText(dst, text)
	}
	dst = appendZeros(dst, from+stampsAt-sectionTail)
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
	return append(append(dst, stamp...), stamp...), nil // nobody may tear the first
}

// At returns the bytes of a stamp, and where in the snapshot they go: in place of the
// older of its two stamps, if Number is that of the newer one plus 1. However much of
// them is written, the other stamp stays. It fails if BootID is too long.
func (s *SnapshotStamp) At() (b []byte, offset int64, err error) {
	if len(s.BootID) > maxBootIDLength {
		return nil, 0, fmt.Errorf("route: a boot ID has %d bytes, at most %d", len(s.BootID), maxBootIDLength)
	}
	for _, n := range []uint64{s.Number, uint64(s.WallMillis), uint64(s.BoottimeNanos)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = appendZeros(appendText(b, s.BootID), stampSize-sectionTail)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b, stampsAt + int64(s.Number%2)*stampSize, nil
}

// ReadSnapshotHeader returns the header of a snapshot, of which SnapshotHeadSize
// bytes are enough. Its errors are those of ReadSnapshot.
func ReadSnapshotHeader(b []byte) (*SnapshotHeader, error) {
	if len(b) < headerSectionAt || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, ErrNotSnapshot
	}
	h := &SnapshotHeader{Major: b[8], Minor: b[9]}
	if h.Major != snapshotMajor {
		return nil, &SnapshotVersionError{Major: h.Major, Minor: h.Minor}
	}
	damaged := func(problem string) error { return &SnapshotDamageError{0, headerSectionAt, problem} }
	if len(b) < SnapshotHeadSize {
		return nil, damaged("it ends in the header")
	}
	static := b[:stampsAt]
	if !endsInSum(static) {
		return nil, damaged("wrong crc")
	}
	r := plainText{b: static[headerSectionAt : stampsAt-sectionTail]}
	if head := r.take(sectionHead); head[0] != headerKind || head[1] != 0 || binary.BigEndian.Uint32(head[2:]) != headerPayloadLen {
		return nil, damaged("it is no header")
	}
	numbers := r.take(headerNumbers)
	h.Sequence = binary.BigEndian.Uint64(numbers)
	h.WrittenMillis = int64(binary.BigEndian.Uint64(numbers[8:]))
	h.AtMillis = int64(binary.BigEndian.Uint64(numbers[16:]))
	h.Edition = binary.BigEndian.Uint64(numbers[24:])
	for _, text := range []*string{&h.Identity, &h.Hostname, &h.ProcessID, &h.Reason, &h.ServerVersion} {
		*text = strings.Clone(r.text(maxHeaderText))
	}
	if r.bad {
		return nil, damaged("a text is too long")
	}
	var ok bool
	if h.Stamp, ok = newestStamp(b[stampsAt:SnapshotHeadSize]); !ok {
		return nil, &SnapshotDamageError{0, stampsAt, "both stamps are damaged"}
	}
	return h, nil
}

// newestStamp returns the whole one of two stamps, the newer one if both are.
func newestStamp(b []byte) (newest SnapshotStamp, ok bool) {
	for ; len(b) > 0; b = b[stampSize:] {
		block := b[:stampSize]
		if !endsInSum(block) {
			continue
		}
		r := plainText{b: block[:stampSize-sectionTail]}
		numbers := r.take(3 * 8)
		s := SnapshotStamp{
			Number:        binary.BigEndian.Uint64(numbers),
			WallMillis:    int64(binary.BigEndian.Uint64(numbers[8:])),
			BoottimeNanos: int64(binary.BigEndian.Uint64(numbers[16:])),
			BootID:        strings.Clone(r.text(maxBootIDLength)),
		}
		if !r.bad && (!ok || s.Number > newest.Number) {
			newest, ok = s, true
		}
	}
	return newest, ok
}

// endsInSum reports whether b ends in the CRC-32C of what is before.
func endsInSum(b []byte) bool {
	at := len(b) - sectionTail
	return binary.BigEndian.Uint32(b[at:]) == crc32.Checksum(b[:at], castagnoli)
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// appendZeros makes dst length long.
func appendZeros(dst []byte, length int) []byte { return append(dst, make([]byte, length-len(dst))...) }
