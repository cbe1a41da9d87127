package bpf

import "hash/crc32"

// Lengths of the tables of crc32c.h.
const (
	crcFine   = 2048
	crcCoarse = 32
)

// crcPowers returns the first n powers of x^(8 * step) modulo the polynomial of CRC32c, bit-reversed.
// Power i is the factor of a checksum's difference if i * step bytes follow the changed ones.
func crcPowers(n, step int) []uint32 {
	powers, power := make([]uint32, n), uint32(1<<31)
	for i := range powers {
		powers[i] = power
		for range 8 * step {
			power = power>>1 ^ crc32.Castagnoli&-(power&1)
		}
	}
	return powers
}
