package bpf

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"baton/impl/flow"
)

// deferredMin is DEFERRED_MIN of defer.h. A ring record of at least this length is a deferred
// reply; a shorter one is an event.
const deferredMin = 128

// rawDeferred is the header of struct deferred of defer.h. The packet follows it.
type rawDeferred[A addr] struct {
	Family, State, Origin uint8
	Pad                   uint8
	Len                   uint32
	Original, Reply       rawTuple[A]
}

// deferred decodes a ring record if it belongs to the family. packet aliases the record.
func (f *family[A]) deferred(sample []byte) (e flow.Event, packet []byte, ok bool) {
	const v4, v6 = 4, 6
	number, start := uint8(v6), int(unsafe.Sizeof(rawDeferred[A]{}))
	if f.has(flow.IPv4(0, 0, 0, 0)) {
		number = v4
	}
	if len(sample) < start || sample[0] != number {
		return e, nil, false
	}
	r := (*rawDeferred[A])(unsafe.Pointer(&sample[0]))
	if int(r.Len) > len(sample)-start {
		return e, nil, false
	}
	state := flow.State(r.State)
	e.Entry = flow.Entry{
		Original: fromTuple(&r.Original), Reply: f.fromReply(&r.Reply),
		State: state, Origin: flow.Origin(r.Origin), Remaining: f.lifetime(&r.Original, &r.Reply, state),
	}
	return e, sample[start : start+int(r.Len)], true
}

// assure changes the state of UDP flows as their first reply would.
func (f *family[A]) assure(tuples []flow.Tuple) error {
	for chunk := range slices.Chunk(tuples, batchMax) {
		_, err := f.batch.run(f.objs.TableAssure, len(chunk), noCondition, func(records []rawRecord[A]) {
			for i := range records {
				records[i] = rawRecord[A]{Original: toTuple[A](chunk[i])}
			}
		}, nil)
		if err != nil {
			return fmt.Errorf("bpf: assure %d flows: %w", len(chunk), err)
		}
	}
	return nil
}

const ethernetLen = 14

// waitingReply is a deferred reply.
type waitingReply struct {
	original flow.Tuple
	packet   []byte // from the IP header on
}

// deferral holds the deferred replies and sends them.
type deferral struct {
	waiting map[uint64]waitingReply
	last    uint64 // id
	// Raw sockets that send packets with their IP header on the client link; 0 means none.
	// The kernel resolves route and neighbour, as for a packet that the programs redirect.
	socket4, socket6 int

	packets, bytes uint64 // sent so far

	doorbell   *ringbuf.Reader
	descriptor int // of the doorbell
	ring       ringbuf.Record
}

// openDeferral opens the doorbell, and the sockets in the calling thread's network namespace.
func openDeferral(link string, ipv6 bool, doorbell *ebpf.Map) (*deferral, error) {
	d := &deferral{waiting: make(map[uint64]waitingReply), descriptor: doorbell.FD()}
	var err error
	if d.doorbell, err = ringbuf.NewReader(doorbell); err != nil {
		return nil, fmt.Errorf("bpf: open the doorbell of deferred replies: %w", err)
	}
	d.doorbell.SetDeadline(time.Unix(1, 0)) // in the past: reading never blocks
	if d.socket4, err = rawSocket(unix.AF_INET, link); err == nil && ipv6 {
		d.socket6, err = rawSocket(unix.AF_INET6, link)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: open the socket of deferred replies on %s: %w", link, err), d.close())
	}
	return d, nil
}

// Doorbell implements dataplane.Dataplane.
func (d *Dataplane) Doorbell() int {
	if d.deferral == nil {
		return -1
	}
	return d.deferral.descriptor
}

// Rung implements dataplane.Dataplane. It empties the doorbell before the caller reads the
// events, so what comes meanwhile rings again.
func (d *Dataplane) Rung() bool { return d.deferral != nil && d.deferral.rung() }

func (d *deferral) rung() (rung bool) {
	for d.doorbell.AvailableBytes() > 0 && d.doorbell.ReadInto(&d.ring) == nil {
		rung = true
	}
	return rung
}

// repliesUnderWay bounds the packets that wait for neighbours. The kernel keeps a packet to a host that does not
// answer ARP or NDP for three seconds, and accounts about a kilobyte for it. A flood with spoofed sources must not
// block the replies to other clients.
const repliesUnderWay = 16 << 20

func rawSocket(family int, link string) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return 0, err
	}
	return fd, errors.Join(unix.BindToDevice(fd, link), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, repliesUnderWay/2)) // the kernel doubles it
}

func (d *deferral) close() error {
	if d == nil {
		return nil
	}
	errs := []error{d.doorbell.Close()}
	for _, fd := range []*int{&d.socket4, &d.socket6} {
		if *fd > 0 {
			errs = append(errs, unix.Close(*fd))
			*fd = 0
		}
	}
	return errors.Join(errs...)
}

// keep stores a copy of a packet, because the ring's memory is reused.
func (d *deferral) keep(original flow.Tuple, packet []byte) flow.Deferred {
	d.last++
	packet = slices.Clone(withoutPadding(packet))
	completeChecksum(packet)
	d.waiting[d.last] = waitingReply{original, packet}
	return flow.Deferred{ID: d.last, Bytes: len(packet)}
}

// send sends a packet. A full queue is an error: TCP retransmits.
func (d *deferral) send(r waitingReply) error {
	to := r.original.Src
	if to.Is4() {
		return unix.Sendto(d.socket4, r.packet, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: to.As4()})
	}
	return unix.Sendto(d.socket6, r.packet, unix.MSG_DONTWAIT, &unix.SockaddrInet6{Addr: to})
}

// reply is the index of the direction in Counters.
const reply = 1

// Release implements dataplane.Dataplane.
func (d *Dataplane) Release(ids []uint64) error {
	if d.deferral == nil {
		return nil
	}
	var errs []error
	var answered []flow.Tuple
	for _, id := range ids {
		r, ok := d.deferral.waiting[id]
		if !ok {
			continue
		}
		delete(d.deferral.waiting, id)
		if err := d.deferral.send(r); err != nil {
			errs = append(errs, fmt.Errorf("bpf: send a deferred reply to %s: %w", r.original.Src, err))
			continue
		}
		d.deferral.packets++
		d.deferral.bytes += uint64(len(r.packet)) + ethernetLen
		if r.original.Proto == flow.UDP {
			answered = append(answered, r.original)
		}
	}
	errs = append(errs, split(d.families, answered, itself, func(f tables, list []flow.Tuple) error { return f.assure(list) }))
	return errors.Join(errs...)
}

// Discard implements dataplane.Dataplane.
func (d *Dataplane) Discard(ids []uint64) {
	if d.deferral == nil {
		return
	}
	for _, id := range ids {
		delete(d.deferral.waiting, id)
	}
}
