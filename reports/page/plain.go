package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"
	"time"

	"baton/reports/model"
	"baton/reports/sanitize"
	"baton/reports/timeline"
)

// Limits for a browser without JavaScript: how many causes show the evidence of one run, and how
// many packets are shown for each cluster of damage.
const (
	plainCauses = 5
	plainFrames = 12
	frameAround = timeline.At(50 * time.Millisecond / time.Microsecond)
)

//go:embed plain.html
var plainText string

// plain is the content for a browser without JavaScript: the verdicts, what failed, the commands
// that repeat it, and the evidence as tables. html/template escapes all text from files for its
// context.
var plain = template.Must(template.New("plain").Funcs(template.FuncMap{"sanitize": sanitize.Terminal, "moment": moment, "since": since, "ms": milliseconds}).Parse(plainText))

// plainPage is the input of the template.
type plainPage struct {
	model.Suite
	Broke []plainCause
}

// plainCause is a cause with the evidence of its first run.
type plainCause struct {
	model.Cause
	Row    model.Row
	Run    model.Run
	Folder string // for links
	Drawn  *drawn // nil if there is no time axis
}

// plainly builds the input of the template.
func plainly(d Data) plainPage {
	p := plainPage{Suite: d.Suite}
	for n, cause := range d.Suite.Causes {
		i := cause.Runs[0]
		c := plainCause{Cause: cause, Run: d.Suite.Runs[i], Folder: d.Suite.Runs[i].Dir}
		c.Row = d.Suite.Rows[c.Run.Row]
		if i < len(d.Folders) {
			c.Folder = d.Folders[i]
		}
		if n < plainCauses && i < len(d.Timelines) && len(d.Timelines[i]) > 0 {
			var run drawn
			if unpack(d.Timelines[i], &run) == nil { // damaged data does not hide the rest
				c.Drawn = &run
			}
		}
		p.Broke = append(p.Broke, c)
	}
	return p
}

// Near returns the packets around the start of a cluster.
func (c plainCause) Near(of Cluster) []Frame {
	var near []Frame
	for _, f := range c.Drawn.Frames {
		if f.At >= of.From-frameAround && f.At <= of.From+frameAround && len(near) < plainFrames {
			near = append(near, f)
		}
	}
	return near
}

// Link returns the address of a file in the run's folder. Every part is encoded, so names with
// special characters stay names.
func (c plainCause) Link(file string) string {
	parts := strings.Split(path.Join(c.Folder, file), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "./" + strings.Join(parts, "/")
}

// moment formats a time as the page does.
func moment(at timeline.At) string { return fmt.Sprintf("%+.3f s", at.Duration().Seconds()) }

// since formats the time that has passed since another.
func since(at, from timeline.At) string {
	return fmt.Sprintf("%+.3f ms", float64(at-from)/1000)
}

func milliseconds(value float64) string {
	if value >= 1000 {
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.1f", value)
}
