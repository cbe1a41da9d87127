package ctsync

import (
	"fmt"
	"math/bits"

	"baton/impl/fingerprint"
)

// A term is one node's time as source: its incarnation and its epoch.
type term struct {
	incarnation uint64
	epoch       uint32
}

func (t term) String() string { return fmt.Sprintf("%016x/%d", t.incarnation, t.epoch) }

// A position identifies a state of the table: that of a term's source after its
// change seq. The zero position means none.
type position struct {
	term
	seq uint64
}

func (p position) known() bool { return p.incarnation != 0 }

func (t term) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Incarnation, t.incarnation)
	h.Counter(fingerprint.Epoch, uint64(t.epoch))
}

func (p position) fingerprint(h *fingerprint.Hash) {
	p.term.fingerprint(h)
	h.Counter(fingerprint.Seq, p.seq)
}

// hello is the sink's request: what it has, and from which source it wants the rest.
type hello struct {
	incarnation uint64 // the sink's own
	nonce       uint32 // distinguishes a new request from a repeated one
	want        term
	have        position
	applied     uint64 // last change of have.term that is applied
	window      uint32 // changes that may be in flight without an ack
	batches     uint32 // the same for Rows messages
	buckets     uint16
	check       uint32 // of the hash key
	capacity    uint32 // of the sink's table in flows; 0 means unknown, as in version 1
}

const helloLen = 8 + 4 + termLen + positionLen + 8 + 4 + 4 + 2 + 4 + capacityLen
const capacityLen = 4
const termLen = 8 + 4
const positionLen = termLen + 8

func (m *hello) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Incarnation, m.incarnation)
	h.Counter(fingerprint.Nonce, uint64(m.nonce))
	m.want.fingerprint(h)
	m.have.fingerprint(h)
	h.Number(m.applied)
	h.Number(uint64(m.window))
	h.Number(uint64(m.batches))
}

func (m *hello) encode(version byte) []byte {
	b := header(typeHello, version, helloLen)
	b = order.AppendUint64(b, m.incarnation)
	b = order.AppendUint32(b, m.nonce)
	b = appendTerm(b, m.want)
	b = appendPosition(b, m.have)
	b = order.AppendUint64(b, m.applied)
	b = order.AppendUint32(b, m.window)
	b = order.AppendUint32(b, m.batches)
	b = order.AppendUint16(b, m.buckets)
	b = order.AppendUint32(b, m.check)
	return appendCapacity(b, version, m.capacity)
}

func (m *hello) decode(r *reader) error {
	*m = hello{
		incarnation: r.uint64(), nonce: r.uint32(), want: r.term(), have: r.position(), applied: r.uint64(),
		window: r.uint32(), batches: r.uint32(), buckets: r.uint16(), check: r.uint32(),
		capacity: r.capacity(),
	}
	switch {
	case m.window == 0 || m.batches == 0:
		r.fail("a window of nothing")
	case m.applied > m.have.seq:
		r.fail("applied %d of %d", m.applied, m.have.seq)
	case m.buckets < minBuckets || m.buckets > maxBuckets || bits.OnesCount16(m.buckets) != 1:
		r.fail("%d buckets", m.buckets)
	}
	return r.end()
}

// begin opens a round. The round's messages follow until the next begin.
type begin struct {
	term
	nonce    uint32 // of the hello that it answers, or answered last
	round    uint32
	snapshot bool
	// from is the state that the sink must have for a resumption: of this term, or
	// of the term on which it is based (a handover). Unused for a snapshot.
	from  position
	seq   uint64 // the first delta of the round is seq+1
	head  uint64 // the source's last change
	total uint32 // entries at the source
	// capacity is that of the source's table in flows; 0 means unknown, as in version 1.
	capacity uint32
}

const beginLen = termLen + 4 + 4 + 1 + positionLen + 8 + 8 + 4 + capacityLen

func (m *begin) encode(version byte) []byte {
	b := appendTerm(header(typeBegin, version, beginLen), m.term)
	b = order.AppendUint32(b, m.nonce)
	b = order.AppendUint32(b, m.round)
	b = appendBool(b, m.snapshot)
	b = appendPosition(b, m.from)
	b = order.AppendUint64(b, m.seq)
	b = order.AppendUint64(b, m.head)
	b = order.AppendUint32(b, m.total)
	return appendCapacity(b, version, m.capacity)
}

func (m *begin) decode(r *reader) error {
	*m = begin{
		term: r.term(), nonce: r.uint32(), round: r.uint32(), snapshot: r.bool(), from: r.position(),
		seq: r.uint64(), head: r.uint64(), total: r.uint32(),
		capacity: r.capacity(),
	}
	switch {
	case m.seq > m.head:
		r.fail("begins at %d, after the last change %d", m.seq, m.head)
	case m.snapshot && m.from.known():
		r.fail("a snapshot from %s", m.from.term)
	case !m.snapshot && !m.from.known():
		r.fail("a resumption from nothing")
	}
	return r.end()
}

// place is the beginning of each message of a round.
type place struct {
	epoch, round uint32
}

const placeLen = 8

func (p place) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Epoch, uint64(p.epoch))
	h.Counter(fingerprint.Nonce, uint64(p.round))
}

func appendPlace(b []byte, p place) []byte {
	return order.AppendUint32(order.AppendUint32(b, p.epoch), p.round)
}

func (r *reader) place() place { return place{epoch: r.uint32(), round: r.uint32()} }

// delta carries consecutive changes, which follow the fixed part.
type delta struct {
	place
	first uint64 // sequence number of the first change
	head  uint64 // the source's last change when it sent this
	count int
}

const deltaLen = placeLen + 8 + 8 + 2

func (m *delta) encode(version byte) []byte {
	b := appendPlace(header(typeDelta, version, deltaLen+m.count*rowLen), m.place)
	b = order.AppendUint64(b, m.first)
	b = order.AppendUint64(b, m.head)
	return order.AppendUint16(b, uint16(m.count))
}

// decode reads the changes into list and returns it.
func (m *delta) decode(r *reader, list []change) ([]change, error) {
	*m = delta{place: r.place(), first: r.uint64(), head: r.uint64(), count: r.count(maxBatch, deleteLen)}
	if m.count == 0 {
		r.fail("no changes")
	}
	if last := m.first + uint64(m.count) - 1; m.first == 0 || last < m.first || last > m.head {
		r.fail("changes %d to %d of %d", m.first, last, m.head)
	}
	list = r.changes(list[:0], m.count, false)
	return list, r.end()
}

// rows carries entries as of the source's change seq, which follow the fixed part.
type rows struct {
	place
	index  uint32 // counts the Rows messages of the round from 1
	seq    uint64
	bucket uint16 // the bucket under repair, noBucket in a snapshot
	first  bool   // the first message of the bucket
	last   bool   // the last message of the bucket
	count  int
}

const (
	noBucket = 0xffff
	rowsLen  = placeLen + 4 + 8 + 2 + 1 + 1 + 2
)

func (m *rows) encode(version byte) []byte {
	b := appendPlace(header(typeRows, version, rowsLen+m.count*rowLen), m.place)
	b = order.AppendUint32(b, m.index)
	b = order.AppendUint64(b, m.seq)
	b = order.AppendUint16(b, m.bucket)
	b = appendBool(b, m.first)
	b = appendBool(b, m.last)
	return order.AppendUint16(b, uint16(m.count))
}

// decode reads the rows into list and returns it.
func (m *rows) decode(r *reader, list []change) ([]change, error) {
	*m = rows{
		place: r.place(), index: r.uint32(), seq: r.uint64(), bucket: r.uint16(),
		first: r.bool(), last: r.bool(), count: r.count(maxBatch, rowLen),
	}
	if m.bucket == noBucket && (m.first || m.last || m.count == 0) {
		r.fail("rows of a snapshot with marks of a bucket, or none")
	}
	list = r.changes(list[:0], m.count, true)
	return list, r.end()
}

func (r *reader) changes(list []change, count int, row bool) []change {
	for range count {
		var c change
		if r.change(&c, row); r.err != nil {
			break
		}
		list = append(list, c)
	}
	return list
}

// mark is the source's count and digest after its change seq. The first mark of
// a round ends the rows of its snapshot.
type mark struct {
	place
	seq     uint64
	rows    uint32 // Rows messages of the round so far
	entries uint32
	sum     uint64
}

const markLen = placeLen + 8 + 4 + 4 + 8

func (m *mark) encode(version byte) []byte {
	b := appendPlace(header(typeMark, version, markLen), m.place)
	b = order.AppendUint64(b, m.seq)
	b = order.AppendUint32(b, m.rows)
	b = order.AppendUint32(b, m.entries)
	return order.AppendUint64(b, m.sum)
}

func (m *mark) decode(r *reader) error {
	*m = mark{place: r.place(), seq: r.uint64(), rows: r.uint32(), entries: r.uint32(), sum: r.uint64()}
	return r.end()
}

// ack says what the sink's dataplane has applied.
type ack struct {
	place
	seq    uint64 // all changes up to it
	rows   uint32 // all Rows messages up to it
	inSync bool
}

const ackLen = placeLen + 8 + 4 + 1

func (m *ack) fingerprint(h *fingerprint.Hash) {
	m.place.fingerprint(h)
	h.Counter(fingerprint.Seq, m.seq)
	h.Number(uint64(m.rows))
	h.Flag(m.inSync)
}

func (m *ack) encode(version byte) []byte {
	b := appendPlace(header(typeAck, version, ackLen), m.place)
	b = order.AppendUint64(b, m.seq)
	b = order.AppendUint32(b, m.rows)
	return appendBool(b, m.inSync)
}

func (m *ack) decode(r *reader) error {
	*m = ack{place: r.place(), seq: r.uint64(), rows: r.uint32(), inSync: r.bool()}
	return r.end()
}

// need asks for the digests of all buckets.
type need struct{ place }

func (m *need) encode(version byte) []byte {
	return appendPlace(header(typeNeed, version, placeLen), m.place)
}

func (m *need) decode(r *reader) error {
	m.place = r.place()
	return r.end()
}

// buckets carries the digests of all buckets after the source's change seq.
type buckets struct {
	place
	seq  uint64
	sums []uint64
}

const bucketsLen = placeLen + 8 + 2

// encodeBuckets writes the digests of the flows that a version can carry.
func encodeBuckets(version byte, p place, seq uint64, list []bucket) []byte {
	b := appendPlace(header(typeBuckets, version, bucketsLen+8*len(list)), p)
	b = order.AppendUint64(b, seq)
	b = order.AppendUint16(b, uint16(len(list)))
	for i := range list {
		b = order.AppendUint64(b, list[i].told(version).sum)
	}
	return b
}

func (m *buckets) decode(r *reader) error {
	*m = buckets{place: r.place(), seq: r.uint64()}
	for range r.count(maxBuckets, 8) {
		m.sums = append(m.sums, r.uint64())
	}
	return r.end()
}

// repair lists the buckets that the sink wants, in ascending order.
type repair struct {
	place
	list []uint16
}

const repairLen = placeLen + 2

func (m *repair) encode(version byte) []byte {
	b := appendPlace(header(typeRepair, version, repairLen+2*len(m.list)), m.place)
	b = order.AppendUint16(b, uint16(len(m.list)))
	for _, bucket := range m.list {
		b = order.AppendUint16(b, bucket)
	}
	return b
}

func (m *repair) decode(r *reader) error {
	*m = repair{place: r.place()}
	n := r.count(maxBuckets, 2)
	if n == 0 {
		r.fail("no buckets")
	}
	for range n {
		bucket := r.uint16()
		if len(m.list) > 0 && bucket <= m.list[len(m.list)-1] {
			r.fail("bucket %d is out of order", bucket)
		}
		m.list = append(m.list, bucket)
	}
	return r.end()
}

// offer carries entries of the sink that the snapshot did not hold. They follow the fixed part.
type offer struct {
	place
	index uint32 // counts the offers of the round from 1
	count int
}

const offerLen = placeLen + 4 + 2

func (m *offer) encode(version byte) []byte {
	b := appendPlace(header(typeOffer, version, offerLen+m.count*rowLen), m.place)
	b = order.AppendUint32(b, m.index)
	return order.AppendUint16(b, uint16(m.count))
}

// decode reads the entries into list and returns it.
func (m *offer) decode(r *reader, list []change) ([]change, error) {
	*m = offer{place: r.place(), index: r.uint32(), count: r.count(maxBatch, rowLen)}
	if m.count == 0 {
		r.fail("no entries")
	}
	list = r.changes(list[:0], m.count, true)
	return list, r.end()
}

// worked says that the source has processed an offer and sent the resulting changes.
type worked struct {
	place
	index uint32
}

const workedLen = placeLen + 4

func (m *worked) encode(version byte) []byte {
	return order.AppendUint32(appendPlace(header(typeWorked, version, workedLen), m.place), m.index)
}

func (m *worked) decode(r *reader) error {
	*m = worked{place: r.place(), index: r.uint32()}
	return r.end()
}

func appendCapacity(b []byte, version byte, flows uint32) []byte {
	if version < versionCapacity {
		return b
	}
	return order.AppendUint32(b, flows)
}

func (r *reader) capacity() uint32 {
	if r.version < versionCapacity {
		return 0
	}
	return r.uint32()
}

func appendTerm(b []byte, t term) []byte {
	return order.AppendUint32(order.AppendUint64(b, t.incarnation), t.epoch)
}

func appendPosition(b []byte, p position) []byte {
	return order.AppendUint64(appendTerm(b, p.term), p.seq)
}

func (r *reader) term() term { return term{incarnation: r.uint64(), epoch: r.uint32()} }

func (r *reader) position() position { return position{term: r.term(), seq: r.uint64()} }

// open checks the header of a message against the agreed version, and returns the message's
// type and a reader of the rest.
func open(msg []byte, version byte) (byte, reader, error) {
	switch {
	case len(msg) < 2:
		return 0, reader{}, fmt.Errorf("length %d < 2", len(msg))
	case len(msg) > MaxMessage:
		return 0, reader{}, fmt.Errorf("length %d > %d", len(msg), MaxMessage)
	case typeNames[msg[0]] == "":
		return 0, reader{}, fmt.Errorf("no such message type: %#02x", msg[0])
	case msg[1] != version:
		return msg[0], reader{}, fmt.Errorf("protocol version %d on a stream of version %d", msg[1], version)
	case msg[0] >= typeOffer && version < versionOffer:
		return 0, reader{}, fmt.Errorf("no such message type in version %d: %#02x", version, msg[0])
	}
	return msg[0], reader{rest: msg[2:], version: version}, nil
}
