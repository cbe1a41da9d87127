package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baton/impl/clock"
)

// Commands for a BFD speaker; all except the first and the last name a session.
const (
	bfdStatus    = "bfd-status"
	bfdDown      = "bfd-down"
	bfdUp        = "bfd-up"
	bfdIntervals = "bfd-intervals"
	bfdDemand    = "bfd-demand"
	bfdPoll      = "bfd-poll"
	bfdReset     = "bfd-reset"
	bfdStop      = "stop"
)

// Speaker is what the control socket of a BFD speaker controls. It must be safe for
// concurrent use.
type Speaker interface {
	Status(context.Context) (BFDStatus, error)
	// AdminDown holds a session down, or releases it (RFC 5880 6.8.16).
	AdminDown(ctx context.Context, session string, down bool) error
	// Intervals changes both intervals, by a Poll Sequence (RFC 5880 6.8.3).
	Intervals(ctx context.Context, session string, tx, rx time.Duration) error
	// Demand asks for Demand mode, or ends it (RFC 5880 6.6).
	Demand(ctx context.Context, session string, on bool) error
	// Poll verifies in Demand mode that both directions work (RFC 5880 6.6).
	Poll(ctx context.Context, session string) error
	// Reset reports a reset of the local forwarding plane (RFC 5880 6.8.15).
	Reset(ctx context.Context, session string) error
	Stop(context.Context) error
}

// BFDStatus is the state of a speaker.
type BFDStatus struct {
	Now      clock.Instant `json:"now"` // CLOCK_BOOTTIME, as all instants here
	Sessions []BFDSession  `json:"sessions"`
	// Filtered counts packets that the kernel dropped because no session would accept them,
	// by bfd.Drop; zero counts are omitted. Later drops are counted by the sessions, or by
	// NoSession if there is none.
	Filtered  map[string]uint64 `json:"filtered"`
	NoSession uint64            `json:"no_session"`
	// LateMax is the maximum lateness of the loop after a deadline.
	LateMax time.Duration `json:"late_max"`
}

// BFDSession is one session. Intervals are in nanoseconds.
type BFDSession struct {
	Name        string `json:"name"`
	Mode        string `json:"mode"`
	Peer        string `json:"peer"`
	Local       string `json:"local"`
	Interface   string `json:"interface,omitempty"`
	State       string `json:"state"`
	Diag        string `json:"diag"`
	RemoteState string `json:"remote_state"`
	RemoteDiag  string `json:"remote_diag"`
	LocalDiscr  uint32 `json:"local_discr"`
	RemoteDiscr uint32 `json:"remote_discr"`
	SourcePort  int    `json:"source_port,omitempty"`

	Ours   BFDTimers `json:"ours"`   // what we announce
	Theirs BFDTimers `json:"theirs"` // what the peer announces
	// Transmit and Detection are negotiated from both.
	Transmit  time.Duration `json:"transmit"`
	Detection time.Duration `json:"detection"`
	Polling   bool          `json:"polling"`
	Demand    bool          `json:"remote_demand"`

	// Echo is set if the session sends or returns echo packets.
	Echo *BFDEcho `json:"echo,omitempty"`

	LastReceived clock.Instant `json:"last_received"`
	Changes      []BFDChange   `json:"changes"` // the last ones, oldest first
	Counters     BFDCounters   `json:"counters"`
}

// BFDEcho is the Echo function of a session. An unaffiliated session has nothing else, and
// counts its packets in Counters.
type BFDEcho struct {
	Active bool `json:"active"` // echo packets are being sent
	// Transmit is the interval of echo packets; Detection is the time after which missing
	// ones are detected.
	Transmit  time.Duration `json:"transmit"`
	Detection time.Duration `json:"detection"`
	// OursMinRx and TheirsMinRx are both sides' Required Min Echo RX Interval; 0 means that
	// a side returns no echo packets.
	OursMinRx    time.Duration `json:"ours_min_rx"`
	TheirsMinRx  time.Duration `json:"theirs_min_rx"`
	Sent         uint64        `json:"sent"`
	Received     uint64        `json:"received"`
	LastReceived clock.Instant `json:"last_received"`
	// Neighbour is their link-layer destination, "" while it is unknown.
	Neighbour string `json:"neighbour,omitempty"`
}

// BFDTimers are the timers of one side.
type BFDTimers struct {
	MinTx      time.Duration `json:"min_tx"`
	MinRx      time.Duration `json:"min_rx"`
	DetectMult uint8         `json:"detect_mult"`
}

// BFDChange is a change of a session's state.
type BFDChange struct {
	At   clock.Instant `json:"at"`
	From string        `json:"from"`
	To   string        `json:"to"`
	Diag string        `json:"diag"`
	// LastReceived is when the previous packet was accepted, Detection the Detection Time
	// then.
	LastReceived clock.Instant `json:"last_received"`
	Detection    time.Duration `json:"detection"`
}

// BFDCounters count a session's packets.
type BFDCounters struct {
	Sent           uint64            `json:"sent"`
	Received       uint64            `json:"received"`
	Dropped        map[string]uint64 `json:"dropped"` // by bfd.Drop; zero counts are omitted
	Ups            uint64            `json:"ups"`
	Downs          uint64            `json:"downs"`
	ReceiveGapMax  time.Duration     `json:"receive_gap_max"`
	AdvanceLateMax time.Duration     `json:"advance_late_max"`
	SendErrors     uint64            `json:"send_errors"`
}

// bfdRequest is one line from the client.
type bfdRequest struct {
	Command string        `json:"command"`
	Session string        `json:"session,omitempty"`
	TX      time.Duration `json:"tx,omitempty"`
	RX      time.Duration `json:"rx,omitempty"`
	On      bool          `json:"on,omitempty"`
}

// bfdResponse is the line that answers it.
type bfdResponse struct {
	Error  string     `json:"error,omitempty"`
	Status *BFDStatus `json:"bfd_status,omitempty"`
}

// ListenSpeaker is Listen for a BFD speaker.
func ListenSpeaker(path string, speaker Speaker) (*Server, error) {
	return open(path, speakerAnswers{speaker}.answer)
}

// speakerAnswers answers the requests for a speaker.
type speakerAnswers struct{ speaker Speaker }

func (s speakerAnswers) answer(ctx context.Context, line []byte) any {
	var r bfdRequest
	if err := json.Unmarshal(line, &r); err != nil {
		return bfdResponse{Error: fmt.Sprintf("control: request is not a JSON object: %v", err)}
	}
	answer, err := s.carryOut(ctx, r)
	if err != nil {
		return bfdResponse{Error: err.Error()}
	}
	return answer
}

func (s speakerAnswers) carryOut(ctx context.Context, r bfdRequest) (bfdResponse, error) {
	switch r.Command {
	case bfdStatus:
		status, err := s.speaker.Status(ctx)
		return bfdResponse{Status: &status}, err
	case bfdDown, bfdUp:
		return bfdResponse{}, s.speaker.AdminDown(ctx, r.Session, r.Command == bfdDown)
	case bfdIntervals:
		return bfdResponse{}, s.speaker.Intervals(ctx, r.Session, r.TX, r.RX)
	case bfdDemand:
		return bfdResponse{}, s.speaker.Demand(ctx, r.Session, r.On)
	case bfdPoll:
		return bfdResponse{}, s.speaker.Poll(ctx, r.Session)
	case bfdReset:
		return bfdResponse{}, s.speaker.Reset(ctx, r.Session)
	case bfdStop:
		return bfdResponse{}, s.speaker.Stop(ctx)
	}
	return bfdResponse{}, fmt.Errorf("control: unknown command %q; use %s, %s, %s, %s, %s, %s, %s or %s",
		r.Command, bfdStatus, bfdDown, bfdUp, bfdIntervals, bfdDemand, bfdPoll, bfdReset, bfdStop)
}

// askSpeaker sends one request to a speaker and reads the answer.
func (c *Client) askSpeaker(ctx context.Context, r bfdRequest) (bfdResponse, error) {
	var answer bfdResponse
	if err := c.exchange(ctx, r.Command, r, &answer); err != nil {
		return bfdResponse{}, err
	}
	if answer.Error != "" {
		return bfdResponse{}, &Refused{Command: r.Command, Why: answer.Error}
	}
	return answer, nil
}

// BFDStatus asks a speaker for its sessions.
func (c *Client) BFDStatus(ctx context.Context) (BFDStatus, error) {
	answer, err := c.askSpeaker(ctx, bfdRequest{Command: bfdStatus})
	if err != nil {
		return BFDStatus{}, err
	}
	if answer.Status == nil {
		return BFDStatus{}, fmt.Errorf("control: %s: the answer has none", bfdStatus)
	}
	return *answer.Status, nil
}

// BFDAdminDown holds a speaker's session down, or releases it.
func (c *Client) BFDAdminDown(ctx context.Context, session string, down bool) error {
	command := bfdUp
	if down {
		command = bfdDown
	}
	_, err := c.askSpeaker(ctx, bfdRequest{Command: command, Session: session})
	return err
}

// BFDIntervals changes the intervals of a speaker's session.
func (c *Client) BFDIntervals(ctx context.Context, session string, tx, rx time.Duration) error {
	_, err := c.askSpeaker(ctx, bfdRequest{Command: bfdIntervals, Session: session, TX: tx, RX: rx})
	return err
}

// BFDDemand asks for Demand mode in a speaker's session, or ends it.
func (c *Client) BFDDemand(ctx context.Context, session string, on bool) error {
	_, err := c.askSpeaker(ctx, bfdRequest{Command: bfdDemand, Session: session, On: on})
	return err
}

// BFDPoll makes a speaker's session verify both directions.
func (c *Client) BFDPoll(ctx context.Context, session string) error {
	_, err := c.askSpeaker(ctx, bfdRequest{Command: bfdPoll, Session: session})
	return err
}

// BFDReset reports a reset of the forwarding plane to a speaker's session.
func (c *Client) BFDReset(ctx context.Context, session string) error {
	_, err := c.askSpeaker(ctx, bfdRequest{Command: bfdReset, Session: session})
	return err
}
