package evidence_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"baton/bpf"
	"baton/impl/clock"
	"baton/impl/daemon"
	"baton/impl/dataplane"
	"baton/impl/trace"
	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// seedBug is a run in which a restored MASTER takes its role back before it has the
// table, so that backends reset the sessions.
const seedBug = `config   gates: off, preempt: immediate
service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=20 every=50ms
always   rst == 0 ; lost == 0
@0s      wait    lb1 is Master and lb2 is Backup within 10s
@300ms   crash   lb1
@310ms   wait    lb2 is Master within 10s
@600ms   restore lb1
@610ms   wait    lb1 is Master within 10s
`

// needNamespaces skips a test where real runs cannot be made.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
}

// playNode runs the node command in the test binary.
func playNode(args []string) error {
	o := daemon.Options{LogFormat: "text", Dataplane: func(cfg dataplane.Config) (dataplane.Dataplane, error) { return bpf.Open(cfg) }}
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	flags.StringVar(&o.ConfigFile, "config", "", "")
	flags.BoolVar(&o.AllowUnsafe, "allow-unsafe", false, "")
	flags.IntVar(&o.TraceFD, "trace-fd", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return daemon.Run(context.Background(), o)
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "node" {
		if err := playNode(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// realJob is a run of a scenario with real nodes.
func realJob(t *testing.T, lines string) scenarios.Job {
	t.Helper()
	needNamespaces(t)
	p, err := plan.Parse("x.scn", []byte("scenario x\n"+lines))
	if err != nil {
		t.Fatal(err)
	}
	return scenarios.Job{Plan: p, World: plan.Netns, Dir: t.TempDir(), NewWorld: func(s scenarios.Stage) (scenarios.World, error) {
		return netns.NewWorld(s.Plan, netns.WorldConfig{Dir: s.Dir, Baton: os.Args[0], AllowUnsafe: true, Recorder: s.Recorder,
			EvidenceLimit: s.EvidenceLimit}), nil
	}}
}

// failing runs a failing scenario with real nodes and returns the stored evidence.
func failing(t *testing.T, lines string, limit int64) (dir string, m evidence.Manifest) {
	t.Helper()
	job := realJob(t, lines)
	job.Limit, dir = limit, job.Dir
	verdict, err := job.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Verdict == check.Pass {
		t.Fatal("the scenario was to fail")
	}
	if m, err = evidence.Read(dir); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, f.File))
		if err != nil || info.Size() != f.Bytes {
			t.Errorf("%s: %v; the manifest says %d bytes", f.File, err, f.Bytes)
		}
		size += f.Bytes
	}
	if size != m.Bytes || size > m.Limit {
		t.Errorf("%d bytes, the manifest says %d and a limit of %d", size, m.Bytes, m.Limit)
	}
	return dir, m
}

// events returns the events of the trace.
func events(t *testing.T, dir string) []trace.Event {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, scenarios.TraceFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := trace.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// resetsAt counts an edge's RSTs in the trace.
func resetsAt(t *testing.T, dir, edge string) (count int) {
	t.Helper()
	for _, e := range events(t, dir) {
		if e.RST != nil && e.RST.Edge == edge {
			count++
		}
	}
	return count
}

// frames returns the frames that a reader finds in a capture.
type frames struct {
	count, resets, mute int      // mute resets have no attribution
	comments            []string // in order
	ports               []string // interfaces, sorted
	bfd, sync, snat     int
}

func readCapture(t *testing.T, dir, edge string) (f frames) {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, evidence.CaptureFile(edge)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ng, err := pcapgo.NewNgReader(file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, options, err := ng.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f.count++
		f.comments = append(f.comments, options.Comments...)
		f.look(gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy), options.Comments)
	}
	for i := range ng.NInterfaces() {
		port, err := ng.Interface(i)
		if err != nil {
			t.Fatal(err)
		}
		f.ports = append(f.ports, port.Name)
	}
	slices.Sort(f.ports)
	return f
}

func (f *frames) look(p gopacket.Packet, comments []string) {
	if ip, ok := p.NetworkLayer().(*layers.IPv4); ok && ip.DstIP.String() == "198.18.1.100" {
		f.snat++
	}
	switch segment := p.TransportLayer().(type) {
	case *layers.UDP:
		if segment.DstPort == 3784 {
			f.bfd++
		}
	case *layers.TCP:
		if segment.SrcPort == 3790 || segment.DstPort == 3790 {
			f.sync++
		}
		if segment.RST {
			f.resets++
			if !slices.ContainsFunc(comments, func(c string) bool { return strings.Contains(c, "RST from backend") }) {
				f.mute++
			}
		}
	}
}

// inOrder reports whether the comments contain the texts in this order.
func inOrder(comments []string, texts ...string) bool {
	for _, c := range comments {
		if len(texts) > 0 && strings.Contains(c, texts[0]) {
			texts = texts[1:]
		}
	}
	return len(texts) == 0
}

func TestAFailedRunLeavesTheClientEdgeTablesAndLogs(t *testing.T) {
	dir, m := failing(t, seedBug+"@1s end\n", evidence.DefaultLimit)
	var names []string
	for _, f := range m.Files {
		names = append(names, f.File)
		if len(f.Cut) > 0 {
			t.Errorf("%s was cut: %v", f.File, f.Cut)
		}
	}
	slices.Sort(names)
	want := []string{"capture-clients.pcapng", "log-lb1.txt", "log-lb2.txt", "table-lb1.txt", "table-lb2.txt"}
	if !slices.Equal(names, want) || len(m.Missing) > 0 {
		t.Errorf("files %v, missing %v; want %v", names, m.Missing, want)
	}
	f := readCapture(t, dir, lab.Clients)
	if !slices.Equal(f.ports, []string{"clients/client1", "clients/lb1", "clients/lb2"}) || f.snat > 0 {
		t.Errorf("ports %v, %d frames of the backends edge", f.ports, f.snat)
	}
	if want := resetsAt(t, dir, lab.Clients); f.resets == 0 || f.resets != want || f.mute > 0 {
		t.Errorf("%d resets, %d of them without an attribution; the trace has %d", f.resets, f.mute, want)
	}
	resetsAreWhereTheTraceSays(t, dir, m)
	// What came more than two seconds before the damage is not there. The receipt of a fault
	// is collected beside what follows from it.
	if !inOrder(f.comments, "lb2 is Master", "restore lb1", "lb1 is Master", "RST from backend", "entry adopted") ||
		!inOrder(f.comments, "crash lb1 receipt: process", "RST from backend") {
		t.Errorf("comments:\n%s", strings.Join(f.comments, "\n"))
	}
	for file, texts := range map[string][]string{
		"table-lb1.txt": {"after damage to clients began", "tcp 198.18.0.11:"},
		"table-lb2.txt": {"after damage to clients began", "tcp 198.18.0.11:"},
		"log-lb1.txt":   {"=== process 1 of lb1", "=== process 2 of lb1"},
		"log-lb2.txt":   {"=== process 1 of lb2", "Master"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		}
		if !inOrder(strings.SplitAfter(string(text), "\n"), texts...) {
			t.Errorf("%s lacks %q:\n%s", file, texts, text)
		}
	}
	// Where the damage begins the restored node may have adopted no more than the flow of it.
	text, err := os.ReadFile(filepath.Join(dir, "table-lb1.txt"))
	if adopted := regexp.MustCompile(`(?m)^tcp 198\.18\.0\.11:.* adopted `); err != nil || !adopted.Match(text) {
		t.Errorf("no flow of the client is adopted in the table of lb1 (%v):\n%s", err, text)
	}
}

// The frames that a report shows around a RST are those of its instant.
func resetsAreWhereTheTraceSays(t *testing.T, dir string, m evidence.Manifest) {
	t.Helper()
	i := slices.IndexFunc(m.Files, func(f evidence.File) bool { return f.Kind == evidence.Capture })
	for _, e := range events(t, dir) {
		if e.RST == nil || e.RST.Edge != lab.Clients {
			continue
		}
		near, err := evidence.Near(dir, m.Files[i], []clock.Instant{e.At}, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(near, func(f evidence.Frame) bool {
			return f.At == e.At && strings.HasPrefix(f.Text, e.RST.Flow+" RST") && strings.HasPrefix(f.Port, "clients/")
		}) {
			t.Errorf("the RST of %s at %d is not among the frames around it: %+v", e.RST.Flow, e.At, near)
		}
	}
}

// Only the named links are kept, each in its own capture.
func TestOnFailureKeepsTheLinksThatItNames(t *testing.T) {
	dir, m := failing(t, seedBug+"@1s end\non-failure capture sync, backends\n", evidence.DefaultLimit)
	if slices.ContainsFunc(m.Files, func(f evidence.File) bool { return f.Edge == lab.Clients }) {
		t.Errorf("the clients edge was kept too: %+v", m.Files)
	}
	if f := readCapture(t, dir, lab.Sync); !slices.Equal(f.ports, []string{"sync/lb1"}) || f.sync == 0 || f.bfd == 0 || f.snat > 0 {
		t.Errorf("the sync cable has ports %v, %d segments of the stream, %d heartbeats, %d frames of the backends edge", f.ports, f.sync, f.bfd, f.snat)
	}
	f := readCapture(t, dir, lab.Backends)
	if !slices.Equal(f.ports, []string{"backends/backend1", "backends/backend2", "backends/lb1", "backends/lb2"}) || f.snat == 0 || f.bfd > 0 {
		t.Errorf("the backends edge has ports %v, %d frames to the SNAT address, %d heartbeats", f.ports, f.snat, f.bfd)
	}
	if want := resetsAt(t, dir, lab.Backends); f.resets == 0 || f.resets != want || f.mute > 0 {
		t.Errorf("%d resets at the backends edge, %d without an attribution; the trace has %d", f.resets, f.mute, want)
	}
}

// Even with much traffic after the failure the limit holds, the first resets are
// kept, and the manifest says what was dropped.
func TestEvidenceKeepsToItsLimit(t *testing.T) {
	flood := "traffic new connects tcp rate=800/s\n"
	dir, m := failing(t, flood+seedBug+"@4s end\n", evidence.MinLimit)
	i := slices.IndexFunc(m.Files, func(f evidence.File) bool { return f.Kind == evidence.Capture })
	said := strings.Join(m.Files[i].Cut, "; ")
	if !strings.Contains(said, "the limit is 160 KiB") || !strings.Contains(said, "the buffer of 640 KiB was full") {
		t.Errorf("cut of the capture: %q", said)
	}
	f := readCapture(t, dir, lab.Clients)
	if f.resets == 0 || f.count < 100 {
		t.Errorf("%d frames with %d resets are left", f.count, f.resets)
	}
	if span := m.Files[i].Span; span == nil || m.Focus < span.From || m.Focus > span.To {
		t.Errorf("the frames of %v do not surround the first damage at %d", span, m.Focus)
	}
}

func TestADeadNodeIsSaidToHaveNoTable(t *testing.T) {
	_, m := failing(t, `service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=5 every=50ms
@0s      wait   lb1 is Master and lb2 insync within 10s
@300ms   crash  lb1
         expect gap(web) < 1ms
@600ms   end
`, evidence.DefaultLimit)
	if len(m.Missing) != 1 || m.Missing[0] != (evidence.Missing{Kind: evidence.Table, Node: "lb1", Why: "lb1 was not running (crash lb1)"}) {
		t.Errorf("missing %+v", m.Missing)
	}
	if !slices.ContainsFunc(m.Files, func(f evidence.File) bool {
		return f.File == "table-lb2.txt" && strings.Contains(f.What, "the end of the run")
	}) {
		t.Errorf("files %+v", m.Files)
	}
}

// A node that exits by itself aborts the run. The verdict quotes its last log line, and
// evidence is kept.
func TestANodeThatEndsByItselfLeavesEvidence(t *testing.T) {
	job := realJob(t, `service  web tcp 198.18.0.100:80
@0s      wait  lb1 is Master and lb2 insync within 10s
@30s     end
`)
	job.Started = func(r *scenarios.Run) {
		r.Began = func(s plan.Step) {
			if s.Verb == plan.VerbEnd {
				t.Error("the run came to its end though a node was gone")
			}
		}
		go func() {
			for t.Context().Err() == nil {
				insync := false
				r.Recording.View(func(s *check.State) { insync = s.Nodes["lb1"].InSync && s.Nodes["lb2"].InSync })
				if pid := nodeOf(filepath.Join(job.Dir, "lb1.yaml")); insync && pid > 0 {
					_ = unix.Kill(pid, unix.SIGKILL)
					return
				}
			}
		}()
	}
	v, err := job.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	died := slices.IndexFunc(v.Checks, func(c check.Check) bool { return c.Name == plan.CheckDied && c.Verdict == check.Fail })
	if v.Verdict != check.Fail || died < 0 || !strings.Contains(v.Checks[died].Detail, "killed by SIGKILL; its last log line: ") {
		t.Fatalf("%s: %q", v.Verdict, v.Reasons)
	}
	m, err := evidence.Read(job.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Missing) != 1 || m.Missing[0].Why != "lb1 was not running (it ended unasked)" {
		t.Errorf("missing %+v", m.Missing)
	}
}

// nodeOf returns the process ID of the node with a configuration, 0 if there is none.
func nodeOf(config string) int {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		if args, err := os.ReadFile(line); err == nil && strings.Contains(string(args), config) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(line)))
			return pid
		}
	}
	return 0
}
