package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"baton/impl/ha"
)

// The peer follows the MASTER's decisions outside the connection table, such as which
// backends get new flows, so that a takeover does not change them. The core carries
// decisions by topic and does not interpret them. A MASTER sends the whole set when its term
// or a stream begins, and then each change. A follower starts with a complete set from the
// peer's current term, so it never mixes two terms.

// Limits of decisions.
const (
	maxTopics   = 512
	maxTopic    = 80
	MaxDecision = 32 << 10 // bytes of one decision
)

// Parts of a typeDecision message, by the byte after its epoch.
const (
	decisionsBegin = iota // start of a set: earlier decisions are void
	decisionSet           // a topic and its decision
	decisionsEnd          // the set is complete
)

// decisionLen is the length of a message without topic and decision.
const decisionLen = headerLen + 4 + 1

// decisions holds the decisions of both nodes.
type decisions struct {
	// mine maps each topic to this node's last decision, its own or followed. It is nil on a
	// node that decides nothing.
	mine map[string][]byte
	// told is the stream and epoch in which mine was sent.
	told struct {
		stream uint64
		epoch  uint32
	}
	theirs    map[string][]byte // the peer's decisions of epoch
	epoch     uint32
	whole     bool
	following bool // this node was told to follow
}

func (d decisions) clone() decisions {
	d.mine, d.theirs = maps.Clone(d.mine), maps.Clone(d.theirs)
	return d
}

// streamOpened forgets the peer's decisions: the peer sends them again.
func (d *decisions) streamOpened() { d.theirs, d.whole = nil, false }

// decide takes a decision of this node.
func (n *Node) decide(in Decided) {
	d := &n.decisions
	switch {
	case in.Topic == "" || len(in.Topic) > maxTopic || len(in.Data) > MaxDecision || d.mine[in.Topic] == nil && len(d.mine) >= maxTopics:
		n.traceNote(fmt.Sprintf("decision about %.80s of %d bytes is not told: it breaks a limit", in.Topic, len(in.Data)))
		return
	case in.Data == nil:
		delete(d.mine, in.Topic)
	default:
		if d.mine == nil {
			d.mine = map[string][]byte{}
		}
		d.mine[in.Topic] = in.Data
	}
	if n.decisionsTold() {
		n.sendDecision(decisionSet, in.Topic, in.Data)
	}
}

// decisionsTold reports whether the peer has this node's set, so that only changes are due.
func (n *Node) decisionsTold() bool {
	d := &n.decisions
	return n.leads() && n.stream.up && d.told.stream == n.stream.id && d.told.epoch == n.epoch
}

// tellDecisions sends the whole set, once in each term and on each stream.
func (n *Node) tellDecisions() {
	d := &n.decisions
	if d.mine == nil || !n.leads() || !n.peerListens() || n.decisionsTold() {
		return
	}
	d.told.stream, d.told.epoch = n.stream.id, n.epoch
	n.sendDecision(decisionsBegin, "", nil)
	for _, topic := range slices.Sorted(maps.Keys(d.mine)) {
		n.sendDecision(decisionSet, topic, d.mine[topic])
	}
	n.sendDecision(decisionsEnd, "", nil)
}

// sendDecision sends one message. Nil data withdraws the topic.
func (n *Node) sendDecision(part byte, topic string, data []byte) {
	b := []byte{typeDecision, n.stream.version}
	b = binary.BigEndian.AppendUint32(b, n.epoch)
	b = append(b, part)
	if part == decisionSet {
		b = append(append(b, byte(len(topic))), topic...)
		if data != nil {
			b = append(append(b, 1), data...)
		}
	}
	n.emit(SendSync{Data: b})
}

// receiveDecision takes a message of the peer's decisions.
func (n *Node) receiveDecision(data []byte) error {
	if len(data) < decisionLen {
		return badLength("decision", len(data), decisionLen)
	}
	d := &n.decisions
	epoch, part, rest := binary.BigEndian.Uint32(data[headerLen:]), data[decisionLen-1], data[decisionLen:]
	switch {
	case part == decisionsBegin:
		d.theirs, d.epoch, d.whole = map[string][]byte{}, epoch, false
		return nil
	case d.theirs == nil || epoch != d.epoch:
		return fmt.Errorf("node: decision message of epoch %d: no set of it has begun", epoch)
	case part == decisionsEnd:
		d.whole = true
		n.followDecisions()
		return nil
	case part != decisionSet:
		return fmt.Errorf("node: decision message: part %d is unknown", part)
	}
	topic, decision, err := decodeDecision(rest)
	if err != nil {
		return err
	}
	return n.takeDecision(topic, decision)
}

// decodeDecision reads topic and decision; a nil decision withdraws the topic.
func decodeDecision(b []byte) (topic string, decision []byte, err error) {
	if len(b) == 0 || b[0] == 0 || b[0] > maxTopic || len(b) < 1+int(b[0]) {
		return "", nil, errors.New("node: decision message: topic is cut short, or too long")
	}
	topic, b = string(b[1:1+b[0]]), b[1+b[0]:]
	switch {
	case len(b) == 0:
		return topic, nil, nil
	case b[0] != 1 || len(b)-1 > MaxDecision:
		return "", nil, fmt.Errorf("node: decision message: %d bytes about %q with mark %d", len(b)-1, topic, b[0])
	}
	return topic, slices.Clip(b[1:]), nil
}

// takeDecision stores a decision of the peer, and applies it if this node follows.
func (n *Node) takeDecision(topic string, decision []byte) error {
	d := &n.decisions
	if decision == nil {
		delete(d.theirs, topic)
	} else {
		d.theirs[topic] = decision
	}
	if len(d.theirs) > maxTopics {
		return fmt.Errorf("node: decision message: more than %d topics", maxTopics)
	}
	if d.following {
		n.emit(Follow{Topic: topic, Data: decision})
	}
	return nil
}

// followsDecisions reports whether the peer decides: it leads and has sent the complete set
// of its term.
func (n *Node) followsDecisions() bool {
	said := n.peer.state
	return n.decisions.whole && !n.role.Holds() && n.live() && (said.Role == ha.Master || said.Role == ha.Yielding) && said.Rank.Epoch == n.decisions.epoch
}

// followDecisions switches between the peer's decisions and this node's own.
func (n *Node) followDecisions() {
	d := &n.decisions
	follows := n.followsDecisions()
	if follows == d.following {
		return
	}
	if d.following = follows; !follows {
		n.emit(Unfollow{})
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(d.mine)) {
		if d.theirs[topic] == nil {
			n.emit(Follow{Topic: topic})
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(d.theirs)) {
		n.emit(Follow{Topic: topic, Data: d.theirs[topic]})
	}
}
