package route

import (
	"encoding/binary"
	"math/bits"
)

const (
	xxPrime1 uint64 = 0x9E3779B185EBCA87
	xxPrime2 uint64 = 0xC2B2AE3D27D4EB4F
	xxPrime3 uint64 = 0x165667B19E3779F9
	xxPrime4 uint64 = 0x85EBCA77C2B2AE63
	xxPrime5 uint64 = 0x27D4EB2F165667C5
)

// xxHash64 returns the XXH64 of b with the seed 0: the same number in each process and
// in each release, which those of hash/maphash are not. A stranger can make two texts
// of one hash, so nothing is found by it.
func xxHash64(b []byte) uint64 {
	n := uint64(len(b))
	h := xxPrime5
	if len(b) >= 32 {
		p1, p2 := xxPrime1, xxPrime2 // variables, because the sums overflow
		v1, v2, v3, v4 := p1+p2, p2, uint64(0), -p1
		for ; len(b) >= 32; b = b[32:] {
			v1 = xxRound(v1, binary.LittleEndian.Uint64(b))
			v2 = xxRound(v2, binary.LittleEndian.Uint64(b[8:]))
			v3 = xxRound(v3, binary.LittleEndian.Uint64(b[16:]))
			v4 = xxRound(v4, binary.LittleEndian.Uint64(b[24:]))
		}
		h = xxMerge(v1, v2, v3, v4)
	}
	h += n
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^xxRound(0, binary.LittleEndian.Uint64(b)), 27)*xxPrime1 + xxPrime4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*xxPrime1, 23)*xxPrime2 + xxPrime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*xxPrime5, 11) * xxPrime1
	}
	return xxFinish(h)
}

// xxHashWords is xxHash64 of four words, each with its lowest byte first.
func xxHashWords(a, b, c, d uint64) uint64 {
	p1, p2 := xxPrime1, xxPrime2
	return xxFinish(xxMerge(xxRound(p1+p2, a), xxRound(p2, b), xxRound(0, c), xxRound(-p1, d)) + 32)
}

func xxMerge(v1, v2, v3, v4 uint64) uint64 {
	h := bits.RotateLeft64(v1, 1) + bits.RotateLeft64(v2, 7) + bits.RotateLeft64(v3, 12) + bits.RotateLeft64(v4, 18)
	h = (h^xxRound(0, v1))*xxPrime1 + xxPrime4
	h = (h^xxRound(0, v2))*xxPrime1 + xxPrime4
	h = (h^xxRound(0, v3))*xxPrime1 + xxPrime4
	return (h^xxRound(0, v4))*xxPrime1 + xxPrime4
}

func xxFinish(h uint64) uint64 {
	h = (h ^ h>>33) * xxPrime2
	h = (h ^ h>>29) * xxPrime3
	return h ^ h>>32
}

func xxRound(v, input uint64) uint64 {
	return bits.RotateLeft64(v+input*xxPrime2, 31) * xxPrime1
}
