package lab

import "net/netip"

// Family is an IP family. Heartbeat and sync always use IPv4. A service has the family of its
// VIP, and so have the addresses of clients and backends in its packets.
type Family uint8

// The families.
const (
	IPv4 Family = iota
	IPv6
)

// Families is the number of families, for arrays.
const Families = 2

func (f Family) String() string { return [Families]string{"IPv4", "IPv6"}[f] }

// FamilyOf is the family of an address.
func FamilyOf(addr netip.Addr) Family {
	if addr.Is4() {
		return IPv4
	}
	return IPv6
}

// subnets of the links, from the ranges for benchmarking: 198.18.0.0/15 (RFC 2544) and
// 2001:2::/48 (RFC 5180).
var subnets = [Families]map[string]netip.Prefix{
	IPv4: {
		Clients:  netip.MustParsePrefix("198.18.0.0/24"),
		Backends: netip.MustParsePrefix("198.18.1.0/24"),
		Sync:     netip.MustParsePrefix("198.18.2.0/30"),
	},
	IPv6: {
		Clients:  netip.MustParsePrefix("2001:2::/64"),
		Backends: netip.MustParsePrefix("2001:2:0:1::/64"),
		Sync:     netip.MustParsePrefix("2001:2:0:2::/64"),
	},
}

// Subnet is the address range of a link.
func (f Family) Subnet(link string) netip.Prefix { return subnets[f][link] }

// numbered is the number-th address of a link's subnet. An IPv6 address shows the decimal
// number, so that client1 is 198.18.0.11 and 2001:2::11.
func (f Family) numbered(link string, number int) netip.Addr {
	bytes := subnets[f][link].Addr().AsSlice()
	last := len(bytes) - 1
	if f == IPv6 {
		bytes[last-1] = byte(number / 100)
		number = number%100/10<<4 | number%10
	}
	bytes[last] += byte(number)
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}
