/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * CRC32c, the checksum of SCTP (RFC 9260 appendix A). It covers the packet without a pseudo
 * header, so new addresses do not change it. It is linear: if two packets of a length differ in their ports
 * alone, the difference of their checksums is the difference of the ports times x^(8 * length), modulo
 * the polynomial. So a checksum is changed without reading the packet, and a wrong one stays wrong.
 *
 * Polynomials are reflected: bit 31 is the coefficient of x^0.
 */
#pragma once

#include "sctp.h"

#define CASTAGNOLI 0x82f63b78u
#define CRC_FINE 2048  /* lengths with a power of their own: no packet of an Ethernet link takes two multiplications */
#define CRC_COARSE 32  /* multiples of CRC_FINE */

/* x^(8 * i) and x^(8 * CRC_FINE * i): set by the loader. */
const volatile __u32 crc_fine[CRC_FINE];
const volatile __u32 crc_coarse[CRC_COARSE];

/* The product of two polynomials. A branch would double the paths of the verifier in each turn, as would
 * an AND of the constant with 0 or -1. */
static __always_inline __u32 crc_multiply(__u32 a, __u32 b)
{
	__u32 product = 0, odd;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		odd = b & 1;
		barrier_var(odd);
		b = (b >> 1) ^ (CASTAGNOLI * odd);
	}
	return product;
}

/* The checksum's change when the first four bytes of a packet of the length change. Not inlined, so
 * that the verifier checks it once. */
__noinline __u32 crc_change(__u32 change, __u32 len)
{
	change = crc_multiply(change, crc_fine[len & (CRC_FINE - 1)]);
	if (len >= CRC_FINE)
		change = crc_multiply(change, crc_coarse[(len / CRC_FINE) & (CRC_COARSE - 1)]);
	return change;
}

/* The checksum of a packet of the words. */
static __always_inline __u32 crc_of(const __u32 *words, __u32 count)
{
	__u32 sum = ~0u;

	for (__u32 i = 0; i < count; i++)
		sum = crc_change(sum ^ words[i], sizeof(*words));
	return ~sum;
}

/* Applies a change of the ports. A checksum of 0 stays: its sender left it to the device, or the two ends
 * use none (RFC 9653). The helper ends all packet pointers, as those for TCP and UDP do, so the verifier need not
 * check the rest of the program once more. */
static __always_inline bool fix_crc(packet_ctx *ctx, const struct packet *pkt, __u32 ports)
{
	__u32 at = pkt->l4_off + offsetof(struct sctp_header, checksum), checksum = 0;

	if (load_bytes(ctx, at, &checksum, sizeof(checksum)))
		return false;
	if (checksum && ports)
		checksum ^= crc_change(ports, pkt->l4_len);
	return !store_bytes(ctx, at, &checksum, sizeof(checksum));
}
