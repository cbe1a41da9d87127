package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/catalog"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/node"
)

// defaultSocket is the control socket of a node if the command line names none.
const defaultSocket = "/run/baton/node.sock"

// controlLimit bounds a request to a node.
const controlLimit = 5 * time.Second

func statusCommand() *cobra.Command {
	var asJSON, watched bool
	c := &cobra.Command{
		Use:               "status [SOCKET]",
		Short:             "Show a node's role, gates, heartbeats and sync progress",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeSocket,
		RunE: func(c *cobra.Command, args []string) error {
			if watched {
				return watch(c.Context(), os.Stdout, args, printWatch)
			}
			return withNode(c.Context(), args, func(ctx context.Context, client *control.Client) error {
				status, err := client.Status(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(status)
				}
				return printStatus(os.Stdout, status)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print all fields as JSON")
	c.Flags().BoolVar(&watched, "watch", false, "show what changes, twice a second, until Ctrl-C")
	c.MarkFlagsMutuallyExclusive("json", "watch")
	return c
}

func reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload [SOCKET]",
		Short: "Make a node apply the services of its configuration file",
		Long: "Reload makes the node behind the control socket read its configuration file again and apply its services,\n" +
			"as SIGHUP does. It prints what changed. Open flows keep their backends. A mistake in the file, or a change of\n" +
			"anything but services, is refused with file and line; then nothing changes.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeSocket,
		RunE: func(c *cobra.Command, args []string) error {
			return withNode(c.Context(), args, func(ctx context.Context, client *control.Client) error {
				return printChanges(client.Reload(ctx))
			})
		},
	}
}

// printChanges prints the changes that a node reports for a request.
func printChanges(changes []string, err error) error {
	for _, change := range changes {
		fmt.Println(change)
	}
	if err == nil && len(changes) == 0 {
		fmt.Println("the services are the same")
	}
	return err
}

// withNode connects to the node whose socket the arguments name.
func withNode(ctx context.Context, args []string, do func(context.Context, *control.Client) error) error {
	socket := defaultSocket
	if len(args) > 0 {
		socket = args[0]
	}
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	client, err := control.Dial(ctx, socket)
	if err != nil {
		return fmt.Errorf("%w; is the node running? The key control in its configuration names the socket", err)
	}
	defer client.Close()
	if err = do(ctx, client); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w; the node of %s is there but did not answer in %v: is it stopped (SIGSTOP), or starved of processor time?", err, socket, controlLimit)
	}
	return err
}

func printStatus(w io.Writer, s control.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "node\t%s\n", s.Node)
	fmt.Fprintf(table, "role\t%s\tepoch %d\n", s.Role, s.Epoch)
	for _, alarm := range s.Alarms {
		fmt.Fprintf(table, "ALARM\t%s\n", alarm)
	}
	fmt.Fprintf(table, "lease\t%v\n", s.Lease)
	fmt.Fprintf(table, "peer\t%s\t%s, epoch %d\n", s.Peer.Node, s.Peer.Role, s.Peer.Epoch)
	if len(s.Peer.Differences) > 0 {
		fmt.Fprintf(table, "peer's services\tdiffer\t%s\n", catalog.Words(s.Peer.Differences))
	}
	fmt.Fprintf(table, "sync\t%s\t%d entries, %.0f%%, lag %d, %.0f entries/s, digest %s\n",
		s.Sync.Phase, s.Sync.Entries, s.Sync.Percent, s.Sync.Lag, s.Sync.Rate, s.Digest)
	if s.Pinned != nil {
		fmt.Fprintf(table, "pinned table\t%s\t%s\n", s.Pinned.Outcome, pinnedNote(*s.Pinned, s.Adopted))
	}
	fmt.Fprintf(table, "sync stream\t%s\n", streamNote(s.Stream, s.Peer.Version))
	if a := s.Arbiter; a != nil {
		fmt.Fprintf(table, "arbiter\t%s\t%s, %s\n", a.Kind, a.Policy, arbiterNote(*a))
	}
	if d := s.Defer; d != nil {
		fmt.Fprintf(table, "deferred replies\t%d waiting\t%s\n", d.Waiting, deferNote(*d))
	}
	for _, p := range s.Paths {
		fmt.Fprintf(table, "bfd %s\t%s\tdetection %v, transmit %v, %s\n", p.Name, p.State, p.Detection, p.Transmit, p.Diag)
	}
	fmt.Fprintf(table, "dataplane\t%s\t%s\n", s.Hook.Name, hookNote(s.Hook, s.Dataplane))
	for _, g := range s.Gates {
		fmt.Fprintf(table, "gate %s\t%s\tfor %v: %s\n", g.Name, map[bool]string{true: "open", false: "closed"}[g.Open], g.For.Round(100*time.Millisecond), g.Why)
	}
	for _, s := range s.Services {
		fmt.Fprintf(table, "service %s\t%s\t%d of %d backends get new flows%s\n", s.Name, s.At, s.Serving, len(s.Backends), editedNote(s.Edited))
		if p := s.Ports; p != nil {
			fmt.Fprintf(table, "snat ports %s\t%d of %d\tin use to %s, the most of any backend\n", s.Name, p.Used, p.Ports, p.Backend)
		}
		for _, b := range s.Backends {
			fmt.Fprintf(table, "backend %s\t%s\t%s\n", b.At, b.State, backendNote(b))
		}
	}
	for _, service := range s.Deleted {
		fmt.Fprintf(table, "service %s\tdeleted\tat run time; the file has it\n", service)
	}
	return table.Flush()
}

// editedNote marks a service that differs from the configuration file.
func editedNote(edited string) string {
	if edited == "" {
		return ""
	}
	return "; " + edited + " at run time"
}

// hookNote says how many packets went by XDP, or why it is not used.
func hookNote(h control.Hook, c control.Counters) string {
	if h.Name != dataplane.HookXDP.String() {
		return cmp.Or(h.Why, "every packet")
	}
	return fmt.Sprintf("%d of %d packets; of those left to tcx %d were new, %d for the neighbour, %d had a partial checksum",
		c.XDPOriginal+c.XDPReply, c.ForwardedOriginal+c.ForwardedReply, c.XDPLeft[dataplane.LeftNew.String()],
		c.XDPLeft[dataplane.LeftNeighbour.String()], c.XDPLeft[dataplane.LeftChecksum.String()])
}

// pinnedNote describes the outcome of adopting a pinned table.
func pinnedNote(p control.Pinned, adopted *node.AdoptedStatus) string {
	switch {
	case p.Outcome == control.PinRefused:
		return "the table in " + p.Dir + " was removed: " + p.Why
	case adopted == nil:
		return p.Dir + " held none"
	case !adopted.Read:
		return "from " + p.Dir + ", not read yet"
	}
	of := "the copy of a BACKUP"
	if adopted.Whole {
		of = "a MASTER's"
	}
	return fmt.Sprintf("%d entries from %s, %s of epoch %d", adopted.Entries, p.Dir, of, adopted.Epoch)
}

// arbiterNote says whether the arbiter answers, and whether the node does without it.
func arbiterNote(a node.ArbiterStatus) string {
	switch {
	case a.Alone:
		return fmt.Sprintf("does not answer; this node serves without it and its peer for %v", a.For.Round(100*time.Millisecond))
	case !a.Answers:
		return "does not answer: " + a.Why
	}
	return "answers"
}

// deferNote says what has ended the wait of deferred replies.
func deferNote(d node.DeferStatus) string {
	word := fmt.Sprintf("%d acked", d.Acked)
	if d.Acked > 0 {
		word += fmt.Sprintf(" after %v on average", (d.Waited / time.Duration(d.Acked)).Round(time.Microsecond))
	}
	return word + fmt.Sprintf(", %d timed out after %v, %d without a peer in sync, %d too many, %d dropped", d.TimedOut, d.Limit, d.NoPeer, d.Full, d.Dropped)
}

// backendNote describes the state of a backend.
func backendNote(b control.Backend) string {
	word := fmt.Sprintf("weight %d", b.Weight)
	if b.Left > 0 {
		word += fmt.Sprintf(", %v left", b.Left.Round(time.Second))
	}
	if b.Probes > 0 {
		word += fmt.Sprintf(", %d of %d probes failed", b.Failures, b.Probes)
	}
	if b.Undecided > 0 {
		word += fmt.Sprintf(", %d showed nothing", b.Undecided)
	}
	if b.Disagrees {
		word += ", probes from here say otherwise"
	}
	if b.Why != "" {
		word += ": " + b.Why
	}
	return word
}

// streamNote is the state of the sync stream, with the reason if it is down.
func streamNote(s control.Stream, version uint8) string {
	switch {
	case s.Up:
		return fmt.Sprintf("up\tprotocol version %d", version)
	case s.Cause == "":
		return "down"
	case s.Retry > 0:
		return fmt.Sprintf("down\t%s: %s; next attempt in %v", s.Cause, s.Why, s.Retry.Round(time.Millisecond))
	}
	return fmt.Sprintf("down\t%s: %s", s.Cause, s.Why)
}
