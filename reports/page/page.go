// Package page renders a report as one HTML file that opens from disk without a network: the suite,
// the time axis of every run, and the trends. It embeds its script and styles and writes data only
// as compressed base64, so text from a trace is never markup. The script shows text through
// textContent only, under a content security policy that allows nothing but the contents of the
// file.
//
// It does not read stored runs: package reports fills Data and calls Write.
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

// Limit is the maximum size of a page in bytes, unless the suite alone is larger. If a page would
// be larger, time axes are left out, those of passing runs first, and the page says so.
const Limit = 5 << 20

// Data is the content of a page.
type Data struct {
	Suite model.Suite
	// Timelines holds the time axis of each run, by index into Suite.Runs. It may be nil for a
	// run.
	Timelines []Packed
	// Folders holds the folder of each run relative to the page, with slashes, for links to
	// evidence. Without it Run.Dir is used.
	Folders []string
}

// Packed is a run's time axis, compressed as the page embeds it.
type Packed []byte

// Frame is a captured packet as text.
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

// Cluster is damage without a pause.
type Cluster struct {
	From timeline.At `json:"from"`
	To   timeline.At `json:"to"`
	What string      `json:"what"` // 992 RSTs, 496 sessions lost, 736 ms after restore lb1
}

// Tables are the connection tables of the nodes at one moment, side by side.
type Tables struct {
	Nodes []NodeTable `json:"nodes"`
	Says  []string    `json:"says"` // the differences, one sentence each
	Rows  []FlowRow   `json:"rows"` // examples of each difference first, then equal flows
	Of    int         `json:"of"`   // number of flows in all
}

// NodeTable is the table of one node.
type NodeTable struct {
	Node string `json:"node"`
	File string `json:"file,omitempty"` // holds the complete table
	What string `json:"what"`           // the moment that it shows, or why it is missing
}

// FlowRow is a flow in the tables of the nodes. The entry is "" if a node has none.
type FlowRow struct {
	Flow    string   `json:"flow"`
	Entries []string `json:"entries"` // by node
	Harm    string   `json:"harm,omitempty"`
	Tone    string   `json:"tone,omitempty"` // bad: only one node has it; warn: their entries differ
}

// Beside is what the page shows beside a run's time axis, each by time.
type Beside struct {
	Frames []Frame `json:"frames,omitempty"` // the packets around its RSTs and its damage
	Script []Line  `json:"script,omitempty"` // its scenario
	Logs   []Said  `json:"logs,omitempty"`   // around the largest damage
	// Clusters holds the damage of the run, the largest first.
	Clusters []Cluster `json:"clusters,omitempty"`
	Tables   *Tables   `json:"tables,omitempty"` // at the start of the largest damage, or at the end of the run
}

// Pack compresses a run's time axis and the data beside it, to hold many runs in memory.
func Pack(run timeline.Run, beside Beside) (Packed, error) {
	return pack(drawn{run, beside})
}

// drawn is a run's time axis and the data beside it.
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

// Policy is the page's content security policy. It allows only the page's own script and style.
func Policy() string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'", source(script), source(style))
}

// header is the beginning of the document.
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

// source returns the expression that allows a script or style in a content security policy.
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// block writes data as an element that browsers do not execute.
func block(w io.Writer, id string, data Packed) {
	fmt.Fprintf(w, "<script type=\"application/octet-stream\" id=\"%s\">%s</script>\n", id, base64.StdEncoding.EncodeToString(data))
}

// fit returns the time axes that fit into Limit beside a text and a packed suite of the given
// sizes, and the runs without one. It drops axes of passing runs first, and of these the largest.
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

// embedded returns the size of a block with n bytes.
func embedded(n int) int { return base64.StdEncoding.EncodedLen(n) + 80 }

// weight ranks how much a reader needs the time axis of a run.
func weight(r model.Run) int {
	switch r.Verdict {
	case "FAIL":
		return 2
	case "INCONCLUSIVE":
		return 1
	}
	return 0
}
