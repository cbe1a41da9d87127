package evidence

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Comment is a comment on the frame nearest to an instant.
type Comment struct {
	At   clock.Instant
	Text string
	RST  bool // it describes the RST that was captured at that instant
	Edge string
}

// Comments returns the comments for the capture of an edge: all faults and role changes, and the RSTs
// that were captured there, each attributed.
func (a Ask) Comments(edge string) []Comment {
	var comments []Comment
	for _, e := range a.Events {
		if e.RST != nil && e.RST.Edge != edge {
			continue
		}
		if text := remark(e); text != "" && a.Holds(e.At) {
			comments = append(comments, Comment{At: e.At, Text: a.At(e.At) + " " + text, RST: e.RST != nil, Edge: edge})
		}
	}
	return comments
}

// remark is the comment on an event, "" for none.
func remark(e trace.Event) string {
	switch {
	case e.Fault != nil:
		text := e.Fault.What()
		if e.Fault.Phase != "begin" {
			text += " " + e.Fault.Phase + ": " + e.Fault.Receipt
		}
		return text
	case e.Role != nil && e.Role.From != e.Role.To:
		return fmt.Sprintf("%s is %s (was %s): %s, epoch %d", e.Node, e.Role.To, e.Role.From, e.Role.Reason, e.Role.Epoch)
	case e.RST != nil:
		return attribution(e.RST)
	}
	return ""
}

func attribution(r *trace.RST) string {
	text := "RST from " + r.Origin
	if r.Sender != r.Origin {
		text += ", forwarded by " + r.Sender
	}
	if r.LB != "" {
		text += fmt.Sprintf("; %s has role %s, entry %s", r.LB, orNone(r.Role), orNone(r.Entry))
	}
	if r.Fault != "" {
		text += "; last fault: " + r.Fault
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Before describes the state at the start of the first window: the roles and the last fault.
func (a Ask) Before() string {
	if len(a.Windows) == 0 {
		return ""
	}
	fault, roles := "none", map[string]string{}
	for _, e := range a.Events {
		switch {
		case e.At >= a.Windows[0].From:
		case e.Fault != nil && e.Fault.Phase == "begin":
			fault = e.Fault.What() + " at " + a.At(e.At)
		case e.Role != nil:
			roles[e.Node] = e.Role.To
		}
	}
	return fmt.Sprintf("at %s lb1 has role %s, lb2 %s; last fault: %s",
		a.At(a.Windows[0].From), orNone(roles["lb1"]), orNone(roles["lb2"]), fault)
}
