package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"
	"time"

	"baton/reports/inert"
	"baton/reports/model"
	"baton/reports/timeline"
)

// What a browser without JavaScript shows: of so many of the causes what one run has
// around its damage, and of each damage so many packets.
const (
	plainCauses = 5
	plainFrames = 12
	frameAround = timeline.At(50 * time.Millisecond / time.Microsecond)
)

//go:embed plain.html
var plainText string

// plain is what a browser without JavaScript shows: the verdicts, what broke, the commands
// that replay it, and the evidence as tables. Whatever comes from a file is escaped by
// html/template for the place where it stands.
var plain = template.Must(template.New("plain").Funcs(template.FuncMap{"inert": inert.Terminal, "moment": moment, "since": since, "ms": milliseconds}).Parse(plainText))

// plainPage is what the template shows.
type plainPage struct {
	model.Suite
	Broke []plainCause
}

// plainCause is a cause with what the first of its runs has to show.
type plainCause struct {
	model.Cause
	Row    model.Row
	Run    model.Run
	Folder string // for links
	Drawn  *drawn // nil where there is none
}

// plainly gathers what the template shows.
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
			if unpack(d.Timelines[i], &run) == nil { // a damaged one hides nothing else
				c.Drawn = &run
			}
		}
		p.Broke = append(p.Broke, c)
	}
	return p
}

// Near are the packets around the begin of a cluster.
func (c plainCause) Near(of Cluster) []Frame {
	var near []Frame
	for _, f := range c.Drawn.Frames {
		if f.At >= of.From-frameAround && f.At <= of.From+frameAround && len(near) < plainFrames {
			near = append(near, f)
		}
	}
	return near
}

// Link is the address of a file of the run's folder; every part is encoded, so that no name
// is more than a name.
func (c plainCause) Link(file string) string {
	parts := strings.Split(path.Join(c.Folder, file), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "./" + strings.Join(parts, "/")
}

// moment is a time as the page shows it.
func moment(at timeline.At) string { return fmt.Sprintf("%+.3f s", at.Duration().Seconds()) }

// since is how long after another a time is.
func since(at, from timeline.At) string {
	return fmt.Sprintf("%+.3f ms", float64(at-from)/1000)
}

func milliseconds(value float64) string {
	if value >= 1000 {
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.1f", value)
}
