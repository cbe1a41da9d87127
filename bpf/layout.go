package bpf

import (
	"math/bits"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// ipv4 and ipv6 are addresses as the maps of their family hold them.
type (
	ipv4 = [4]byte
	ipv6 = [16]byte
)

type addr interface{ ipv4 | ipv6 }

// The types of types.h whose size depends on the family. Addresses and ports are in network
// byte order.
type (
	rawTuple[A addr] struct {
		Src, Dst     A
		Sport, Dport uint16
		Proto        uint8
		Pad          [3]uint8
	}
	rawConn[A addr] struct {
		Word     uint64
		Reply    rawTuple[A]
		LastSeen int64
		Expected [2]uint32
		Acked    [2]uint32
		Hop      [2]uint64
	}
	rawRecord[A addr] struct {
		Original rawTuple[A]
		Conn     rawConn[A]
	}
	rawEvent[A addr] struct {
		Original, Reply rawTuple[A]
		State, Origin   uint8
		Pad             [6]uint8
	}
	rawServiceKey[A addr] struct {
		VIP        A
		Port, Last uint16
		Proto      uint8
		Pad        [3]uint8
	}
	rawPortKey[A addr] struct {
		Bits  uint32
		Addr  A
		Proto uint8
		Pad   uint8
		Port  uint16
	}
	// rawEndpoint is a backend_key.
	rawEndpoint[A addr] struct {
		Addr  A
		Port  uint16
		Proto uint8
		Pad   uint8
	}
	rawService[A addr] struct {
		Snat              [dataplane.MaxSNAT]A
		Table, Size, Next uint32
		Mode, Balance     uint8
		Affine, Refuse    bool
		Addresses         uint8
		Limited           bool
		Overhead, Pad     uint8
		Port, Last, Own   uint16
		Pad2              uint16
		Limit             rawCount
		SourceLimit       rawCount
		Challenge         uint32
	}
	rawCount            struct{ Flows, Embryonic int32 }
	rawCountKey[A addr] struct {
		Source, VIP A
		Port, Last  uint16
		Proto       uint8
		Pad         [3]uint8
	}
	rawMember[A addr] struct {
		Addr  A
		Table uint32
		Port  uint16
		Pad   [2]uint8
	}
	rawRefusals        struct{ NoBackend, NoPort, TableFull, ServiceLimit, SourceLimit, Challenged uint64 }
	rawBackend[A addr] struct {
		Addr A
		Port uint16
		Pad  [2]uint8
	}
	rawLoad struct{ Flows, Weight uint32 }
)

// toAddr converts an address of the family.
func toAddr[A addr](a flow.Addr) (out A) {
	switch out := any(&out).(type) {
	case *ipv4:
		*out = a.As4()
	case *ipv6:
		*out = a
	}
	return out
}

func fromAddr[A addr](a *A) flow.Addr {
	if a, ok := any(a).(*ipv4); ok {
		return flow.IPv4From(*a)
	}
	return flow.Addr(*any(a).(*ipv6))
}

func swapPort(p uint16) uint16 { return bits.ReverseBytes16(p) }

func toTuple[A addr](t flow.Tuple) rawTuple[A] {
	return rawTuple[A]{
		Src: toAddr[A](t.Src), Dst: toAddr[A](t.Dst),
		Sport: swapPort(t.SrcPort), Dport: swapPort(t.DstPort), Proto: uint8(t.Proto),
	}
}

func fromTuple[A addr](t *rawTuple[A]) flow.Tuple {
	return flow.Tuple{
		Src: fromAddr(&t.Src), Dst: fromAddr(&t.Dst),
		SrcPort: swapPort(t.Sport), DstPort: swapPort(t.Dport), Proto: flow.Proto(t.Proto),
	}
}

func toServiceKey[A addr](s flow.Service) rawServiceKey[A] {
	return rawServiceKey[A]{VIP: toAddr[A](s.VIP), Port: swapPort(s.Port), Last: swapPort(s.Last), Proto: uint8(s.Proto)}
}

func fromServiceKey[A addr](k *rawServiceKey[A]) flow.Service {
	return flow.Service{VIP: fromAddr(&k.VIP), Port: swapPort(k.Port), Last: swapPort(k.Last), Proto: flow.Proto(k.Proto)}
}

func toEndpoint[A addr](addr flow.Addr, port uint16, proto flow.Proto) rawEndpoint[A] {
	return rawEndpoint[A]{Addr: toAddr[A](addr), Port: swapPort(port), Proto: uint8(proto)}
}

// toBackend converts a backend of a service of the family.
func toBackend[A addr](b dataplane.Backend, ends *tunnelEnds) (rawBackend[A], error) {
	a, err := toBackendAddr[A](b.Addr, ends)
	return rawBackend[A]{Addr: a, Port: swapPort(b.Port)}, err
}

// toBackendAddr converts the address of a backend, which need not be of the family.
func toBackendAddr[A addr](a flow.Addr, ends *tunnelEnds) (out A, err error) {
	if number, ok := any(&out).(*ipv4); ok && !a.Is4() {
		*number, err = ends.number(a)
		return out, err
	}
	return toAddr[A](a), nil
}

// toReply converts a reply tuple. Only its backend may be of the other family.
func (f *family[A]) toReply(t flow.Tuple) (raw rawTuple[A], err error) {
	raw = toTuple[A](t)
	raw.Src, err = toBackendAddr[A](t.Src, f.ends)
	return raw, err
}

func (f *family[A]) fromReply(raw *rawTuple[A]) flow.Tuple {
	t := fromTuple(raw)
	if number, ok := any(&raw.Src).(*ipv4); ok && isTunnelEnd(number) {
		t.Src = f.ends.address(*number)
	}
	return t
}
