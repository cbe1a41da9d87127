package lab

import (
	"fmt"
	"net/netip"
)

// Host numbers within a link's subnet: lb1 is .1, client1 and backend1 are .11, VIPs
// start at .100.
const (
	firstHost = 10
	firstVIP  = 100
)

// subnets of the links: 198.18.0.0/15 is set aside for benchmarking (RFC 2544).
var subnets = map[string]netip.Prefix{
	Clients:  netip.MustParsePrefix("198.18.0.0/24"),
	Backends: netip.MustParsePrefix("198.18.1.0/24"),
	Sync:     netip.MustParsePrefix("198.18.2.0/30"),
}

// Subnet is the address range of a link.
func Subnet(link string) netip.Prefix { return subnets[link] }

// BackendVIP is the VIP on the backends' side: the source of what reaches the
// backends in fullnat mode, their default gateway in dnat mode.
func BackendVIP() netip.Addr { return numbered(Backends, firstVIP) }

// Addr is the machine's address on a link.
func (h Host) Addr(link string) netip.Addr {
	if h.Kind == Node {
		return numbered(link, h.Number)
	}
	return numbered(link, firstHost+h.Number)
}

// Owner finds the machine with an address on a link.
func (t Topo) Owner(link string, addr netip.Addr) (Host, bool) {
	for _, h := range t.Hosts() {
		if h.On(link) && h.Addr(link) == addr {
			return h, true
		}
	}
	return Host{}, false
}

// Misplaced says why no VIP can have the address, "" if one can.
func (t Topo) Misplaced(vip netip.Addr) string {
	subnet := Subnet(Clients)
	if !subnet.Contains(vip) {
		return "is outside the clients' network " + subnet.String()
	}
	if last := vip.As4()[3]; last == 0 || last == 255 {
		return "is not the address of a host"
	}
	if last := int(vip.As4()[3]); last >= firstGuest && last < firstGuest+guests {
		return "is among the addresses that idle flows come from"
	}
	if owner, taken := t.Owner(Clients, vip); taken {
		return fmt.Sprintf("is the address of %s", owner.Name)
	}
	return ""
}

// numbered is the number-th address of a link's subnet.
func numbered(link string, number int) netip.Addr {
	bytes := subnets[link].Addr().As4()
	bytes[3] += byte(number)
	return netip.AddrFrom4(bytes)
}

// Strangers is how many addresses of the clients' network no host and no VIP should have.
const Strangers = 50

// Stranger is one of those addresses.
func Stranger(n int) netip.Addr { return numbered(Clients, 200+n%Strangers) }

const firstGuest, guests = 150, 50

// GuestsOf is a client's part of the guests, by its number from 0 and how many clients there are.
func GuestsOf(client, clients int) []netip.Addr {
	all := Guests()
	part := len(all) / max(1, clients)
	return all[min(client*part, len(all)):min((client+1)*part, len(all))]
}

// Guests are addresses of the clients' network that no host has, and that clients send
// idle flows from.
func Guests() (addrs []netip.Addr) {
	for n := range guests {
		addrs = append(addrs, numbered(Clients, firstGuest+n))
	}
	return addrs
}
