package netns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"baton/netns/capture"
	"baton/scenarios"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

var _ scenarios.Witness = (*World)(nil)

// collector collects the evidence of a run.
type collector struct {
	world *World
	store *evidence.Store
	ask   evidence.Ask
}

// Evidence implements scenarios.Witness.
func (w *World) Evidence(store *evidence.Store, ask evidence.Ask) error {
	g := &collector{world: w, store: store, ask: ask}
	links := w.plan.CaptureLinks(plan.Netns)
	_, logShare, captureShare := evidence.Shares(ask.Limit, len(links))
	var errs []error
	for _, link := range links {
		errs = append(errs, g.capture(link, captureShare))
	}
	for _, node := range lab.Nodes() {
		errs = append(errs, g.table(node), g.log(node, logShare))
	}
	for _, s := range w.plan.Programs(plan.Netns) {
		errs = append(errs, g.output(s.Fault.Name, s.Fault.Hosts[0], logShare))
	}
	return errors.Join(errs...)
}

// capture stores the frames of one edge.
func (g *collector) capture(link string, limit int64) error {
	if g.world.capture == nil {
		g.store.Lack(evidence.Missing{Kind: evidence.Capture, Edge: link, Why: "the run ended before anything was captured"})
		return nil
	}
	var file bytes.Buffer
	written, err := g.world.capture.WritePCAPNG(&file, link, capture.Excerpt{
		Windows: g.ask.Windows, Limit: limit, Focus: g.ask.Focus,
		About: g.ask.About + "; " + g.ask.Before(), Comments: g.ask.Comments(link),
	})
	if err != nil {
		return err
	}
	f := evidence.File{File: evidence.CaptureFile(link), Kind: evidence.Capture, Edge: link, Count: written.Frames,
		What: fmt.Sprintf("frames at the %s edge, the first %d bytes of each, with faults, role changes and RSTs as comments", link, capture.DefaultSnap)}
	if written.Frames > 0 {
		f.Span, f.Offset = &written.Span, written.Offset
	}
	for _, c := range written.Cut {
		why := fmt.Sprintf("the limit is %s", evidence.Size(limit))
		if c.Forgotten {
			why = fmt.Sprintf("the buffer of %s was full", evidence.Size(historyFactor*limit))
		}
		f.Cut = append(f.Cut, fmt.Sprintf("%d frames from %s to %s: %s", c.Frames, g.ask.At(c.From), g.ask.At(c.To), why))
	}
	if lost := g.world.capture.Stats().Lost; lost > 0 {
		f.Cut = append(f.Cut, fmt.Sprintf("%d frames of all edges: the kernel's ring buffers were full", lost))
	}
	if written.Omitted > 0 {
		f.Cut = append(f.Cut, fmt.Sprintf("%d comments: no frame to attach them to; the trace has them all", written.Omitted))
	}
	return g.store.Put(f, func(w io.Writer) error { _, err := w.Write(file.Bytes()); return err })
}

// table stores the connection table of a node.
func (g *collector) table(node string) error {
	r := g.world.tablesFor(g.ask)
	if r == nil {
		g.store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: "the run ended before it was read"})
		return nil
	}
	t := r.nodes[node]
	if t.why != nil {
		g.store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: t.why.Error()})
		return nil
	}
	c := evidence.Connections{Node: node, At: t.at, When: r.when, Total: t.Total}
	for _, f := range t.Flows {
		c.Flows = append(c.Flows, evidence.Flow(f))
	}
	return g.store.PutTable(c, g.ask)
}

// log stores a node's log.
func (g *collector) log(node string, limit int64) error {
	return g.text(evidence.File{File: evidence.LogFile(node), Kind: evidence.Log, Node: node, Count: g.world.lives(node),
		What: "output of all processes of " + node + ", in order"}, "the run ended before the node was started", limit)
}

// output stores the log of a program that the scenario ran.
func (g *collector) output(program, host string, limit int64) error {
	return g.text(evidence.File{File: evidence.LogFile(program), Kind: evidence.Log, Node: host, Count: 1,
		What: "output of the program " + program}, "the run ended before "+program+" was started", limit)
}

// text stores a text file, shortened to its limit.
func (g *collector) text(f evidence.File, absent string, limit int64) error {
	text, err := os.ReadFile(filepath.Join(g.world.cfg.Dir, f.File))
	if errors.Is(err, os.ErrNotExist) {
		g.store.Lack(evidence.Missing{Kind: f.Kind, Node: f.Node, Why: absent})
		return nil
	}
	if err != nil {
		return err
	}
	if int64(len(text)) > limit {
		begin, end := text[:limit/4], text[int64(len(text))-limit/2:]
		lost := len(text) - len(begin) - len(end)
		f.Cut = append(f.Cut, fmt.Sprintf("%s from the middle: the limit is %s", evidence.Size(int64(lost)), evidence.Size(limit)))
		text = bytes.Join([][]byte{begin, fmt.Appendf(nil, "\n=== %d bytes cut here\n", lost), end}, nil)
	}
	return g.store.Put(f, func(w io.Writer) error { _, err := w.Write(text); return err })
}
