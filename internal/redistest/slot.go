package redistest

import "strings"

// NumSlots is the number of hash slots of a Redis Cluster.
const NumSlots = 16384

// Slot returns the hash slot of key: CRC16/XMODEM modulo NumSlots of its hash tag, if it has one that is not empty, else
// of the whole key (Redis Cluster specification, "Hash tags"). It is bit by bit on purpose: an independent check of fast ones.
func Slot(key string) uint16 {
	if _, after, ok := strings.Cut(key, "{"); ok {
		if tag, _, closed := strings.Cut(after, "}"); closed && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % NumSlots
}

// slotRange is a run of slots, both ends included.
type slotRange struct{ first, last int }

// share returns the i-th of n equal runs of all slots, cut as redis-cli --cluster create cuts them.
func share(i, n int) slotRange {
	return slotRange{i * NumSlots / n, (i+1)*NumSlots/n - 1}
}
