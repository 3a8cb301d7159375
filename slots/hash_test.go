package slots

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// referenceCRC16 is the definition, bit by bit.
func referenceCRC16(p []byte) uint16 {
	var crc uint16
	for _, b := range p {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// referenceTag is the rule of the cluster specification, byte by byte as redis' keyHashSlot has it.
func referenceTag(key []byte) []byte {
	s := 0
	for s < len(key) && key[s] != '{' {
		s++
	}
	if s == len(key) {
		return key
	}
	e := s + 1
	for e < len(key) && key[e] != '}' {
		e++
	}
	if e == len(key) || e == s+1 {
		return key
	}
	return key[s+1 : e]
}

func TestCRC16KnownValues(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint16
	}{
		{"", 0},
		{"\x00", 0},
		{"\x01", 0x1021}, // the polynomial itself
		{"A", 0x58E5},
		{"123456789", 0x31C3}, // the check value of CRC-16/XMODEM in the catalogues
	} {
		if got := crc16([]byte(tt.in)); got != tt.want {
			t.Errorf("crc16(%q) = %#x, want %#x", tt.in, got, tt.want)
		}
	}
}

// The slots are those that CLUSTER KEYSLOT of Redis 7.0 says.
func TestHashKnownSlots(t *testing.T) {
	for key, want := range map[string]uint16{
		"":                     0,
		"a":                    15495,
		"ab":                   13567,
		"foo":                  12182,
		"bar":                  5061,
		"hello":                866,
		"123456789":            12739,
		"key":                  12539,
		"somekey":              11058,
		"foo{hash_tag}":        2515,
		"bar{hash_tag}":        2515,
		"foo{}{bar}":           8363,
		"foo{{bar}}zap":        4015,
		"foo{bar}{zap}":        5061,
		"{}":                   15257,
		"{":                    4092,
		"}":                    12090,
		"}{":                   12793,
		"{a":                   10276,
		"a}b{c}":               7365,
		"{user1000}.following": 3443,
		"{user1000}.followers": 3443,
		"{}{a}":                13650,
		"x{y}z}":               12222,
		"the quick brown fox jumps over the lazy dog": 12325,
	} {
		if got := Hash([]byte(key)); got != want {
			t.Errorf("Hash(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestHashMatchesReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const alphabet = "{}ab\x00\xff"
	for range 200_000 {
		key := make([]byte, rng.IntN(40))
		for i := range key {
			if rng.IntN(2) == 0 {
				key[i] = alphabet[rng.IntN(len(alphabet))]
			} else {
				key[i] = byte(rng.Uint32())
			}
		}
		if got, want := Hash(key), referenceCRC16(referenceTag(key))%NumSlots; got != want {
			t.Fatalf("Hash(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestHashDoesNotAllocate(t *testing.T) {
	key := []byte("{user:1000}.some-longer-key")
	if n := testing.AllocsPerRun(100, func() { Hash(key) }); n != 0 {
		t.Errorf("Hash allocates %v times", n)
	}
}

func FuzzHash(f *testing.F) {
	for _, seed := range []string{"", "{}", "foo{}{bar}", "foo{{bar}}zap", "{a", "a}b{c}", "0123456789abcdef"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		before := bytes.Clone(key)
		if got, want := Hash(key), referenceCRC16(referenceTag(key))%NumSlots; got != want {
			t.Errorf("Hash(%q) = %d, want %d", key, got, want)
		}
		if !bytes.Equal(before, key) {
			t.Errorf("Hash changed its key")
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, key := range []string{"key:000000012345", "{user:1000}:cart", "k", "key:0000000123456789012345678901"} {
		b.Run(key, func(b *testing.B) {
			b.ReportAllocs()
			k := []byte(key)
			for b.Loop() {
				Hash(k)
			}
		})
	}
}
