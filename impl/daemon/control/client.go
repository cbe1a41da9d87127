package control

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/flow"
)

// Client is a client of one node's control socket. It is safe for concurrent use; its
// requests are answered in order.
type Client struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects to the socket at path, of any length.
func Dial(ctx context.Context, path string) (*Client, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("control: dial %s: %w", path, err)
	}
	defer release()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		return nil, fmt.Errorf("control: dial %s: %w", path, cause(err))
	}
	return NewClient(conn), nil
}

// NewClient returns a client on an existing connection.
func NewClient(conn net.Conn) *Client {
	return &Client{conn: conn, in: bufio.NewReader(conn)}
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Status asks for the node's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	answer, err := c.call(ctx, request{Command: cmdStatus})
	if err != nil {
		return Status{}, err
	}
	if answer.Status == nil {
		return Status{}, errors.New("control: status: the answer has none")
	}
	return *answer.Status, nil
}

// Handover asks a MASTER to hand over to its peer. The error is its refusal. Status shows
// when the peer has taken over.
func (c *Client) Handover(ctx context.Context) error {
	_, err := c.call(ctx, request{Command: cmdHandover})
	return err
}

// Stop asks the node to leave, as SIGTERM does.
func (c *Client) Stop(ctx context.Context) error {
	_, err := c.call(ctx, request{Command: cmdStop})
	return err
}

// Reload makes the node reload the services of its configuration file. It returns the
// changes, one per line.
func (c *Client) Reload(ctx context.Context) ([]string, error) {
	answer, err := c.call(ctx, request{Command: cmdReload})
	return answer.Changes, err
}

// Edit changes one service of a node and of its peer. It returns the changes, one per line.
func (c *Client) Edit(ctx context.Context, e config.Edit) ([]string, error) {
	answer, err := c.call(ctx, request{Command: cmdEdit, Edit: e})
	return answer.Changes, err
}

// Break injects a dataplane failure until Mend, in a node that was started for tests. It
// returns the receipt.
func (c *Client) Break(ctx context.Context, fault string) ([]string, error) {
	answer, err := c.call(ctx, request{Command: cmdBreak, Fault: fault})
	return answer.Changes, err
}

// Mend ends all faults of Break and returns them.
func (c *Client) Mend(ctx context.Context) ([]string, error) {
	answer, err := c.call(ctx, request{Command: cmdMend})
	return answer.Changes, err
}

// Drain stops new flows to a backend of a service and sets the drain's deadline.
func (c *Client) Drain(ctx context.Context, service string, backend netip.AddrPort, limit time.Duration) error {
	_, err := c.call(ctx, request{Command: cmdDrain, Service: service, Backend: backend, For: limit})
	return err
}

// Ready cancels a drain.
func (c *Client) Ready(ctx context.Context, service string, backend netip.AddrPort) error {
	_, err := c.call(ctx, request{Command: cmdReady, Service: service, Backend: backend})
	return err
}

// Entry asks for the dataplane's entry of a flow, by the tuple of either direction as the
// client sees it.
func (c *Client) Entry(ctx context.Context, tuple flow.Tuple) (Entry, error) {
	answer, err := c.call(ctx, request{Command: cmdEntry, Tuple: tuple.String()})
	if err != nil {
		return Entry{}, err
	}
	if answer.Entry == nil {
		return Entry{}, errors.New("control: entry: the answer has none")
	}
	return *answer.Entry, nil
}

// Table asks for the node's connection table, with at most limit entries.
func (c *Client) Table(ctx context.Context, limit int) (Table, error) {
	answer, err := c.call(ctx, request{Command: cmdTable, Limit: limit})
	if err != nil {
		return Table{}, err
	}
	if answer.Table == nil {
		return Table{}, errors.New("control: table: the answer has none")
	}
	return *answer.Table, nil
}

// call sends one request and reads the answer.
func (c *Client) call(ctx context.Context, r request) (response, error) {
	var answer response
	if err := c.exchange(ctx, r.Command, r, &answer); err != nil {
		return response{}, err
	}
	if answer.Error != "" {
		return response{}, &Refused{Command: r.Command, Why: answer.Error}
	}
	return answer, nil
}

// exchange writes one line and reads the answer line.
func (c *Client) exchange(ctx context.Context, command string, request, answer any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The answer of an abandoned call would be read by the next one, so the connection
	// ends.
	stop := context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("control: %s: %w", command, err)
	}
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("control: %s: send: %w", command, cmp.Or(ctx.Err(), err))
	}
	reply, err := c.in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("control: %s: receive: %w", command, cmp.Or(ctx.Err(), err))
	}
	if err := json.Unmarshal(reply, answer); err != nil {
		return fmt.Errorf("control: %s: decode the answer: %w", command, err)
	}
	return nil
}

// Refused is the error of a node that did not execute a command.
type Refused struct{ Command, Why string }

func (e *Refused) Error() string { return fmt.Sprintf("control: %s: %s", e.Command, e.Why) }
