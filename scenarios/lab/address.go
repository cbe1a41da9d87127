package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// Host numbers within a link's subnet: lb1 is .1, client1 and backend1 are .11, VIPs
// start at .100.
const (
	firstHost = 10
	firstVIP  = 100
)

// BackendVIP is the VIP on the backends' side: the source address of translated packets in
// fullnat mode, and the backends' default gateway in dnat mode.
func (f Family) BackendVIP() netip.Addr { return f.numbered(Backends, firstVIP) }

// BackendVIPs returns n SNAT addresses, the first of which is BackendVIP; at least that one.
func (f Family) BackendVIPs(n int) (addrs []netip.Addr) {
	for i := range max(n, 1) {
		addrs = append(addrs, f.numbered(Backends, firstVIP+i))
	}
	return addrs
}

// MaxSNAT is the largest number of a service's SNAT addresses.
const MaxSNAT = 16

// Addr is the machine's address on a link.
func (h Host) Addr(link string, f Family) netip.Addr {
	if h.Kind == Node {
		return f.numbered(link, h.Number)
	}
	return f.numbered(link, firstHost+h.Number)
}

// Owner finds the machine with an address on a link.
func (t Topo) Owner(link string, addr netip.Addr) (Host, bool) {
	for _, h := range t.Hosts() {
		if h.On(link) && h.Addr(link, FamilyOf(addr)) == addr {
			return h, true
		}
	}
	return Host{}, false
}

// Misplaced says why an address cannot be a VIP, "" if it can.
func (t Topo) Misplaced(vip netip.Addr) string {
	family := FamilyOf(vip)
	subnet := family.Subnet(Clients)
	if vip.Is4In6() {
		return "is IPv4 written as IPv6: write " + vip.Unmap().String()
	}
	if !subnet.Contains(vip) {
		return "is outside the clients' network " + subnet.String()
	}
	if vip == subnet.Addr() || vip == broadcast {
		return "is not the address of a host"
	}
	if slices.Contains(family.Guests(), vip) {
		return "is among the addresses that idle flows come from"
	}
	if owner, taken := t.Owner(Clients, vip); taken {
		return fmt.Sprintf("is the address of %s", owner.Name)
	}
	return ""
}

// broadcast is the broadcast address of the clients' IPv4 network.
var broadcast = IPv4.numbered(Clients, 255)

// Strangers is the number of addresses in the clients' network that belong to no host. Floods send
// from them.
const Strangers = 50

// Stranger returns the n-th of those addresses.
func (f Family) Stranger(n int) netip.Addr { return f.numbered(Clients, 200+n%Strangers) }

const firstGuest, guests = 150, 50

// GuestsOf returns the guest addresses of a client, given its number from 0 and the number of clients.
func (f Family) GuestsOf(client, clients int) []netip.Addr {
	all := f.Guests()
	part := len(all) / max(1, clients)
	return all[min(client*part, len(all)):min((client+1)*part, len(all))]
}

// Guests are addresses of the clients' network that no host has. Clients send idle flows from
// them.
func (f Family) Guests() (addrs []netip.Addr) {
	for n := range guests {
		addrs = append(addrs, f.numbered(Clients, firstGuest+n))
	}
	return addrs
}
