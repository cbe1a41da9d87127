// Package page renders a report as one HTML file that opens from disk without a
// network: the suite, every run on its time axis, and the trends. It embeds its
// script and styles and writes data only as compressed base64, so that no text of
// a trace is ever markup; the script shows it by textContent alone, under a content
// security policy that allows nothing but what is in the file.
//
// It reads no stored run: package reports fills Data and calls Write.
package page

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"baton/reports/model"
	"baton/reports/timeline"
)

// Limit is how large a page gets at most, in bytes, unless the suite alone is
// larger. What does not fit is the time axis of runs, those that passed first, and
// the page says so in its place.
const Limit = 5 << 20

// Data is what a page shows.
type Data struct {
	Suite model.Suite
	// Timelines are those of Suite.Runs, by index. A run without one is shown without
	// its time axis.
	Timelines []Packed
	// Folders are those of Suite.Runs relative to the page, with slashes, for links to
	// evidence; without them Run.Dir is used.
	Folders []string
}

// Packed is a run's time axis, compressed as the page embeds it.
type Packed []byte

// Frame is a packet of a run's capture, in words.
type Frame struct {
	At   timeline.At `json:"at"`
	Edge string      `json:"edge"`
	Text string      `json:"text"`
}

// Line is a line of a run's scenario.
type Line struct {
	Text  string       `json:"text"`
	Began *timeline.At `json:"began,omitempty"` // when the step in it began
}

// Said is a line of a process's log.
type Said struct {
	At   timeline.At `json:"at"`
	Node string      `json:"node"`
	Text string      `json:"text"`
}

// Cluster is damage without a pause, as one line.
type Cluster struct {
	From timeline.At `json:"from"`
	To   timeline.At `json:"to"`
	What string      `json:"what"` // 992 RSTs, 496 sessions lost, 736 ms after restore lb1
}

// Tables are the connection tables of the nodes at one moment, side by side.
type Tables struct {
	Nodes []NodeTable `json:"nodes"`
	Says  []string    `json:"says"` // how they differ, a sentence each
	Rows  []FlowRow   `json:"rows"` // the first of each difference, then of what is the same
	Of    int         `json:"of"`   // how many flows there are in all
}

// NodeTable is the table of one node.
type NodeTable struct {
	Node string `json:"node"`
	File string `json:"file,omitempty"` // that has the whole
	What string `json:"what"`           // of which moment it is, or why there is none
}

// FlowRow is a flow as the nodes know it, "" for one that has no entry.
type FlowRow struct {
	Flow    string   `json:"flow"`
	Entries []string `json:"entries"` // by node
	Harm    string   `json:"harm,omitempty"`
	Tone    string   `json:"tone,omitempty"` // bad: only one node has it; warn: their entries differ
}

// Beside is what a page shows with a run's time axis, all by time.
type Beside struct {
	Frames []Frame `json:"frames,omitempty"` // the packets around its RSTs and its damage
	Script []Line  `json:"script,omitempty"` // its scenario
	Logs   []Said  `json:"logs,omitempty"`   // around the moment that matters most
	// Clusters are the damage of the run, the largest first.
	Clusters []Cluster `json:"clusters,omitempty"`
	Tables   *Tables   `json:"tables,omitempty"` // where the largest damage begins, or at the end
}

// Pack compresses a run's time axis, with what stands beside it, so that what is held of
// many runs stays small.
func Pack(run timeline.Run, beside Beside) (Packed, error) {
	return pack(drawn{run, beside})
}

// drawn is a run's time axis with what stands beside it.
type drawn struct {
	timeline.Run
	Beside
}

var (
	//go:embed web/dist/page.js
	script string
	//go:embed web/page.css
	style string
)

// Style is the page's style sheet.
func Style() string { return style }

// Policy is the page's content security policy: nothing but its own script and style.
func Policy() string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'", source(script), source(style))
}

// header opens the document.
const header = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="baton report">
<title>baton report</title>
<style>%s</style>
</head>
<body>
<main id="page">`

// Write writes the page.
func Write(w io.Writer, d Data) error {
	suite, err := pack(d.Suite)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := plain.Execute(&text, plainly(d)); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	kept, left := fit(d, text.Len(), len(suite))
	about, err := pack(struct {
		Folders []string `json:"folders"`
		Left    []int    `json:"left"`
	}{d.Folders, left})
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintf(buf, header, Policy(), style)
	fmt.Fprintf(buf, "%s</main>\n", text.Bytes())
	block(buf, "suite", suite)
	block(buf, "about", about)
	for i, timeline := range kept {
		if len(timeline) > 0 {
			block(buf, fmt.Sprintf("run-%d", i), timeline)
		}
	}
	fmt.Fprintf(buf, "<script>%s</script>\n</body>\n</html>\n", script)
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	return nil
}

// source is the expression by which a content security policy allows a text.
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// block writes data as an element that no browser executes.
func block(w io.Writer, id string, data Packed) {
	fmt.Fprintf(w, "<script type=\"application/octet-stream\" id=\"%s\">%s</script>\n", id, base64.StdEncoding.EncodeToString(data))
}

// fit returns the time axes that fit beside a text and a suite of a packed size, and the
// runs whose do not: of those that passed first, and among these the largest.
func fit(d Data, text, suite int) (kept []Packed, left []int) {
	kept = slices.Clone(d.Timelines[:min(len(d.Timelines), len(d.Suite.Runs))])
	total := len(header) + len(script) + len(style) + text + embedded(suite) + 64<<10
	order := make([]int, len(kept))
	for i := range kept {
		order[i] = i
		total += embedded(len(kept[i]))
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(weight(d.Suite.Runs[a]), weight(d.Suite.Runs[b])), cmp.Compare(len(kept[b]), len(kept[a])), cmp.Compare(a, b))
	})
	for _, i := range order {
		if total <= Limit {
			break
		}
		if len(kept[i]) > 0 {
			total -= embedded(len(kept[i]))
			kept[i], left = nil, append(left, i)
		}
	}
	slices.Sort(left)
	return kept, left
}

// embedded is the length of a block.
func embedded(n int) int { return base64.StdEncoding.EncodedLen(n) + 80 }

// weight is how much a run's time axis is needed.
func weight(r model.Run) int {
	switch r.Verdict {
	case "FAIL":
		return 2
	case "INCONCLUSIVE":
		return 1
	}
	return 0
}
