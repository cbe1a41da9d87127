package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/origin"
	"baton/scenarios/plan"
	"baton/sim"
)

// runOptions are the flags of run.
type runOptions struct {
	world, sut, out string // world is a world, or bothWorlds
	seed            uint64
	repeat          int
	allowUnsafe     bool
	set             []string
	keep, limit     string // of evidence
	failOnSkip      bool   // a skipped run is a failure
	width           int    // runs side by side
	watch           bool   // show the pair while it runs
	upgradeTo       string // the program that an upgraded node runs
	timing          bool   // print how the time until the first traffic was spent
	keepLab         bool   // of a run that fails, until the user has seen it
	only            string // a scenario of the files, to run alone

	several map[string]bool // the files that hold several scenarios
}

func runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run FILE...",
		Short: "Run scenarios and judge them",
		Long: "Run executes each scenario and stores scenario.scn, trace.jsonl and result.json in DIR/<scenario>\n" +
			"(<scenario>.2, .3, … for repeats). While it runs, a terminal shows a progress line. --world both runs each in\n" +
			"virtual time first, stored in DIR/<scenario>.sim, then in namespaces, and compares the role changes as baton parity does.",
		Example: "  baton run scenarios/restored-master-does-not-preempt.scn\n" +
			"  baton run --repeat 20 --out /tmp/crash scenarios/crash-master.scn\n" +
			"  baton run --allow-unsafe --set ha.gates=off --set ha.preempt=immediate scenarios/restored-master-does-not-preempt.scn",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error { return o.run(c.Context(), files) },
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", plan.Netns, "world to run in: netns (real kernel), sim (virtual time), or both")
	f.StringVar(&o.sut, "sut", "", "the subject under test, instead of the scenarios' own:  "+strings.Join(subject.Names(), ", ")+", or an adapter file: ./my.yaml")
	f.StringVar(&o.out, "out", "out", "folder of the results")
	f.Uint64Var(&o.seed, "seed", 1, "seed of all random choices")
	f.IntVar(&o.repeat, "repeat", 1, "how often to run each scenario")
	f.BoolVar(&o.watch, "watch", false, "show the pair on the terminal while it runs: roles, gates, paths, traffic, gaps, RSTs")
	f.BoolVar(&o.keepLab, "keep-lab", false, "after a failed run keep its pair running until Ctrl-C, for baton lab --dir DIR/<scenario>, and run nothing more")
	f.IntVarP(&o.width, "jobs", "j", 1, "number of scenarios to run in parallel; scenarios that judge milliseconds run alone, after the others")
	f.BoolVar(&o.allowUnsafe, "allow-unsafe", false, "allow settings that re-create historical bugs outside of controls")
	f.BoolVar(&o.timing, "timing", false, "for each real run, print how the time from the start of the command to the first traffic was spent")
	f.StringVar(&o.upgradeTo, "upgrade-to", "", "build of baton that a node runs after an upgrade step (default: this one)")
	must(c.MarkFlagFilename("upgrade-to"))
	f.StringArrayVar(&o.set, "set", nil, "override a configuration key of the scenarios: [NODE.]KEY=VALUE")
	f.StringVar(&o.only, "only", "", "run only the scenario with this name")
	f.StringVar(&o.keep, "keep", string(evidence.KeepFailed), "runs whose evidence (frames, connection tables, logs) is kept: "+strings.Join(evidence.Policies(), ", "))
	f.StringVar(&o.limit, "evidence-limit", evidence.Size(evidence.DefaultLimit), "maximum size of the evidence of one run")
	f.BoolVar(&o.failOnSkip, "fail-on-skip", false, "treat a skipped run as a failure (exit code 1)")
	words(c, "world", plan.Netns, plan.Sim, bothWorlds)
	words(c, "sut", subject.Names()...)
	words(c, "keep", evidence.Policies()...)
	folder(c, "out")
	must(c.RegisterFlagCompletionFunc("set", completeSetting))
	must(c.RegisterFlagCompletionFunc("only", completeNames))
	c.ValidArgsFunction = completeScenarios
	return c
}

func (o *runOptions) run(ctx context.Context, files []string) error {
	if err := o.check(); err != nil {
		return err
	}
	plans, err := parseAll(files)
	if err != nil {
		return err
	}
	if plans, err = o.chosen(plans); err != nil {
		return err
	}
	for _, p := range plans {
		if err := o.prepare(p); err != nil {
			return err
		}
		if _, err := o.subject(p, o.world); err != nil {
			return badInput("%s: subject: %w", p.File, err)
		}
	}
	if slices.Contains(o.worlds(), plan.Netns) {
		if err := probeReal(); err != nil {
			return err
		}
	}
	if err := makeFolder("--out", o.out); err != nil {
		return err
	}
	return o.all(ctx, plans)
}

// chosen returns the plans to run, and notes which files hold several.
func (o *runOptions) chosen(plans []*plan.Plan) ([]*plan.Plan, error) {
	seen := map[string]bool{}
	o.several = map[string]bool{}
	names := make([]string, len(plans))
	for i, p := range plans {
		o.several[p.File] = seen[p.File]
		seen[p.File] = true
		names[i] = p.Name
	}
	if o.only == "" {
		return plans, nil
	}
	at := slices.Index(names, o.only)
	if at < 0 {
		return nil, badInput("--only %s: the files hold %s", o.only, strings.Join(names, ", "))
	}
	return plans[at : at+1], nil
}

// bothWorlds as a world runs a plan in virtual time and then for real.
const bothWorlds = "both"

// worlds returns the worlds to run in, the fast one first.
func (o *runOptions) worlds() []string {
	if o.world == bothWorlds {
		return []string{plan.Sim, plan.Netns}
	}
	return []string{o.world}
}

// folder is where the n-th run of a plan (from 0) is stored.
func (o *runOptions) folder(p *plan.Plan, world string, n int) string {
	dir := filepath.Join(o.out, p.Name)
	if o.world == bothWorlds && world == plan.Sim {
		dir += ".sim"
	}
	if n > 0 {
		dir = fmt.Sprintf("%s.%d", dir, n+1)
	}
	return dir
}

// makeFolder makes the folder that a flag names, for files to be written into.
func makeFolder(flag, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return badInput("%s: %w", flag, err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return badInput("%s: write into %s: %w", flag, dir, err)
	}
	return nil
}

// probeReal returns an error that names what this machine lacks for a real run.
func probeReal() error {
	if err := netns.Probe(); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return badInput("this machine cannot run it: %s; baton doctor lists everything that is missing, --world sim needs none of it", first)
	}
	return nil
}

// prepare applies --set to a plan. It refuses unsafe settings outside of controls, and a
// configuration with which no reference node would start.
func (o *runOptions) prepare(p *plan.Plan) error {
	for _, text := range o.set {
		if err := p.Set(text); err != nil {
			return badInput("--set %s: %w", text, err)
		}
	}
	isControl := !slices.ContainsFunc(o.worlds(), func(world string) bool { return !p.IsControl(world) })
	if unsafe := p.Unsafe(); len(unsafe) > 0 && !isControl && !o.allowUnsafe {
		at := "--set"
		if pos := unsafe[0].Pos; pos.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", p.File, pos.Line, pos.Column)
		}
		return badInput("%s: %s=%s re-creates a historical bug: name the checks that must catch it in a control line, or pass --allow-unsafe",
			at, unsafe[0].Key, unsafe[0].Value)
	}
	if o.sut == "" || o.sut == subject.ReferenceName {
		if refused := subject.Refused(p); len(refused) > 0 {
			return &exitError{exitBadInput, refused}
		}
	}
	return nil
}

func (o *runOptions) check() error {
	switch {
	case o.world != plan.Netns && o.world != plan.Sim && o.world != bothWorlds:
		return badInput("--world %q: the worlds are: netns, sim, both", o.world)
	case o.repeat < 1:
		return badInput("--repeat %d: at least 1", o.repeat)
	case o.watch && o.width > 1:
		return badInput("--watch shows one run: it cannot be combined with --jobs")
	case o.watch && !isTerminal(os.Stderr):
		return badInput("--watch needs a terminal")
	case o.keepLab && (o.width > 1 || o.world == plan.Sim):
		return badInput("--keep-lab keeps one real pair: it cannot be combined with --jobs or --world sim")
	case o.width < 1:
		return badInput("--jobs %d: at least 1", o.width)
	}
	if o.upgradeTo != "" {
		program, err := exec.LookPath(o.upgradeTo)
		if err != nil {
			return badInput("--upgrade-to %w", err)
		}
		if o.upgradeTo, err = filepath.Abs(program); err != nil { // the nodes have another working directory
			return err
		}
	}
	_, _, err := o.evidence()
	return err
}

// evidence returns which runs keep evidence, and how much.
func (o *runOptions) evidence() (keep evidence.Keep, limit int64, err error) {
	if keep, err = evidence.ParseKeep(o.keep); err != nil {
		return "", 0, badInput("--keep %w", err)
	}
	if limit, err = evidence.ParseLimit(o.limit); err != nil {
		return "", 0, badInput("--evidence-limit %w", err)
	}
	return keep, limit, nil
}

// one runs a plan for the n-th time (from 0) in one world, stores the run in dir, and
// prints its outcome to out.
func (o *runOptions) one(ctx context.Context, p *plan.Plan, dir string, n int, out io.Writer) (check.Verdict, error) {
	absolute, err := filepath.Abs(dir) // the nodes have another working directory
	if err != nil {
		return check.Verdict{}, err
	}
	keep, limit, err := o.evidence()
	if err != nil {
		return check.Verdict{}, err
	}
	under, err := o.subject(p, o.world)
	if err != nil {
		return check.Verdict{}, err
	}
	line := newProgress(os.Stderr, o.label(p, n))
	switch {
	case o.width > 1:
		line.mute()
	case o.watch:
		line.board = newBoard()
	}
	kept := &keptLab{dir: absolute}
	job := scenarios.Job{
		Plan: p, World: o.world, SUT: under.Name(), Seed: o.seed, Dir: absolute,
		NewWorld: func(s scenarios.Stage) (scenarios.World, error) { return o.newWorld(s, under) }, Keep: keep, Limit: limit,
		Origin: &trace.Origin{File: p.File, Set: o.set, AllowUnsafe: o.allowUnsafe, Args: o.replayArgs(p), Host: origin.Here(version)},
	}
	var recording *scenarios.Recording
	job.Started = func(run *scenarios.Run) {
		recording = run.Recording
		line.follow(run)
		if o.keepLab {
			run.Hold = func(ctx context.Context, v check.Verdict) {
				line.stop()
				kept.hold(ctx, run, v)
			}
		}
	}
	verdict, err := job.Execute(ctx)
	line.stop()
	if err != nil {
		return verdict, err
	}
	printVerdict(out, verdict, dir, o.replay(p))
	if o.timing && recording != nil && o.world == plan.Netns {
		if err := printTiming(out, recording.Events()); err != nil {
			return verdict, err
		}
	}
	return verdict, kept.ended()
}

// label names the n-th run of a plan (from 0) in the progress line.
func (o *runOptions) label(p *plan.Plan, n int) string {
	if o.repeat == 1 {
		return p.Name
	}
	return fmt.Sprintf("%s %d/%d", p.Name, n+1, o.repeat)
}

// replay is the command that repeats a run of a plan.
func (o *runOptions) replay(p *plan.Plan) string {
	return commandLine(append([]string{"baton", "run"}, o.replayArgs(p)...)...)
}

func (o *runOptions) replayArgs(p *plan.Plan) []string {
	args := []string{"--world", o.world, "--seed", strconv.FormatUint(o.seed, 10)}
	if o.sut != "" {
		args = append(args, "--sut", o.sut)
	}
	if o.upgradeTo != "" {
		args = append(args, "--upgrade-to", o.upgradeTo)
	}
	if o.allowUnsafe {
		args = append(args, "--allow-unsafe")
	}
	for _, text := range o.set {
		args = append(args, "--set", text)
	}
	if o.several[p.File] {
		args = append(args, "--only", p.Name)
	}
	return append(args, p.File)
}

// subject is the subject of a run: that of the command line, else that of the plan.
func (o *runOptions) subject(p *plan.Plan, world string) (subject.Subject, error) {
	return subject.Named(cmp.Or(o.sut, p.Value(world, "", plan.KeySubject)))
}

// newWorld makes a world by its name.
func (o *runOptions) newWorld(s scenarios.Stage, under subject.Subject) (scenarios.World, error) {
	if o.world == plan.Sim {
		if err := subject.Simulated(under); err != nil {
			return nil, err
		}
		return sim.NewWorld(s.Plan, sim.Config{Seed: o.seed, Recorder: s.Recorder, Evidence: s.EvidenceLimit > 0})
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return netns.NewWorld(s.Plan, netns.WorldConfig{
		Dir: s.Dir, Baton: program, Subject: under, Recorder: s.Recorder, Seed: o.seed, AllowUnsafe: o.allowUnsafe || s.Plan.IsControl(o.world),
		EvidenceLimit: s.EvidenceLimit, UpgradeTo: o.upgradeTo,
	}), nil
}

// parseAll parses all files and returns all their mistakes at once.
func parseAll(files []string) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	var errs []error
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		expanded, found := plan.Expand(file, source, os.ReadFile)
		if wrong := found.Errors(true); len(wrong) > 0 {
			errs = append(errs, wrong)
			continue
		}
		plans = append(plans, expanded...)
	}
	for _, d := range plan.SameNames(plans) {
		errs = append(errs, errors.New(d.String()))
	}
	if len(errs) > 0 {
		return nil, &exitError{exitBadInput, errors.Join(errs...)}
	}
	return plans, nil
}

// parseOne parses a file that must hold one scenario.
func parseOne(file string) (*plan.Plan, error) {
	plans, err := parseAll([]string{file})
	if err == nil && len(plans) > 1 {
		err = badInput("%s holds %d scenarios, but one is needed; baton lint --print shows them", file, len(plans))
	}
	if err != nil {
		return nil, err
	}
	return plans[0], nil
}
