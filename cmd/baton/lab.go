package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/fault"
)

// labFile, in the lab's folder, tells the other commands which processes hold its hosts.
const labFile = "lab.json"

// runningLab is the content of labFile: a lab that runs.
type runningLab struct {
	PID   int               `json:"pid"` // of baton lab up
	Doors []netns.Namespace `json:"doors"`
}

// labDownLimit bounds the wait for a lab to end.
const labDownLimit = 30 * time.Second

func labCommand() *cobra.Command {
	var dir string
	var unsafe bool
	up := &cobra.Command{
		Use: "up FILE", Short: "Build the pair of a scenario and keep it running", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeScenarios,
		RunE:              func(c *cobra.Command, files []string) error { return labUp(c.Context(), files[0], dir, unsafe) },
	}
	up.Flags().BoolVar(&unsafe, "allow-unsafe", false, "allow settings that re-create historical bugs outside of controls")
	c := &cobra.Command{
		Use:   "lab",
		Short: "Keep one pair running and break it by hand",
		Long: "Lab up builds the topology of a scenario, starts its nodes and traffic, and keeps them running until\n" +
			"Ctrl-C or lab down. It does not execute the scenario's steps. Lab exec runs a program on one of the hosts. Lab fault\n" +
			"executes one step of the scenario language; lab crash and lab restore are short forms of the most common two. Lab status\n" +
			"shows the pair.",
		Example: "  baton lab up scenarios/crash-master.scn\n  baton lab exec client1 ping -c 1 198.18.0.1\n  baton status out/lab/lb1.sock",
	}
	c.PersistentFlags().StringVar(&dir, "dir", "out/lab", "folder of the lab, with configurations, logs and control sockets")
	must(c.MarkPersistentFlagDirname("dir"))
	c.AddCommand(
		up,
		&cobra.Command{
			Use: "down", Short: "Stop the running lab", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(c *cobra.Command, _ []string) error { return labDown(c.Context(), dir) },
		},
		&cobra.Command{
			Use: "exec HOST COMMAND...", Short: "Run a program on a host of the lab", Args: cobra.MinimumNArgs(2),
			ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				return labHosts(dir, args)
			},
			RunE: func(_ *cobra.Command, args []string) error { return labExec(dir, args[0], args[1:]) },
		},
		&cobra.Command{
			Use: "fault STEP...", Short: "Execute one step of the scenario language in the running lab, and show its receipt", Args: cobra.MinimumNArgs(1),
			Example:           "  baton lab fault 'cut lb1->lb2'\n  baton lab fault freeze lb1 for 2s\n  baton lab fault heal",
			ValidArgsFunction: completeFault,
			RunE: func(_ *cobra.Command, args []string) error {
				return askLab(dir, labRequest{Fault: strings.Join(args, " ")})
			},
		},
		labVerb(&dir, fault.Crash, "Power a host off"),
		labVerb(&dir, fault.Restore, "Power a host on and start its processes"),
		&cobra.Command{
			Use: "status", Short: "Show the running lab: roles, gates, paths, cuts, traffic", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(*cobra.Command, []string) error { return askLab(dir, labRequest{}) },
		},
	)
	for _, sub := range c.Commands() {
		sub.Flags().SetInterspersed(sub == up) // the arguments after the host of exec belong to the program
	}
	return c
}

// labVerb is a short command for one fault verb on hosts.
func labVerb(dir *string, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " HOST...", Short: short, Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return labHosts(*dir, nil)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return askLab(*dir, labRequest{Fault: verb + " " + strings.Join(args, " ")})
		},
	}
}

func labDown(ctx context.Context, dir string) error {
	l, err := readLab(dir)
	if err != nil {
		return err
	}
	if err := unix.Kill(l.PID, unix.SIGTERM); err != nil {
		return fmt.Errorf("lab: end process %d: %w", l.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, labDownLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for l.runs() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("lab: process %d has not ended: %w", l.PID, ctx.Err())
		}
	}
	return nil
}

func labExec(dir, host string, command []string) error {
	l, err := readLab(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, d := range l.Doors {
		if d.Host == host {
			return d.Exec(command)
		}
		names = append(names, d.Host)
	}
	return badInput("lab: no host %q; there are: %s", host, strings.Join(names, ", "))
}

// labHosts completes the host; the arguments after it belong to the program.
func labHosts(dir string, args []string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	if l, err := readLab(dir); err == nil {
		for _, d := range l.Doors {
			names = append(names, d.Host)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// runs reports whether the lab's namespaces still exist.
func (l runningLab) runs() bool {
	var stat unix.Stat_t
	return len(l.Doors) > 0 && unix.Stat(l.Doors[0].Path, &stat) == nil && stat.Ino == l.Doors[0].Inode
}

// readLab finds the lab that runs in a folder.
func readLab(dir string) (runningLab, error) {
	var l runningLab
	data, err := os.ReadFile(filepath.Join(dir, labFile))
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !l.runs():
		return l, fmt.Errorf("no lab runs in %s; baton lab up FILE starts one", dir)
	case err != nil:
		return l, badInput("lab: %s: %w", filepath.Join(dir, labFile), err)
	}
	return l, nil
}

func writeLab(dir string, l runningLab) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, labFile), append(data, '\n'), 0o600)
}
