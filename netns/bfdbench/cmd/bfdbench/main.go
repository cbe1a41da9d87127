// Command bfdbench measures the punctuality of the nodes' BFD and FRR's: idle, loaded, and
// under a flood of Polls (make bench-bfd). It needs root. It exits 1 if a session of the
// nodes went down, 2 if nothing could be measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/netns/bfdbench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	o := bfdbench.Options{Progress: func(what string) { fmt.Fprintln(os.Stderr, what+" …") }}
	var loads string
	var work bool
	flag.StringVar(&o.Baton, "baton", "bin/baton", "path of the baton program")
	flag.DurationVar(&o.Interval, "interval", 10*time.Millisecond, "transmit and receive interval")
	flag.IntVar(&o.DetectMult, "mult", 3, "detection multiplier")
	flag.DurationVar(&o.Duration, "for", 120*time.Second, "how long to measure under each load")
	flag.StringVar(&loads, "load", "idle,loaded,polls", "loads to measure under")
	flag.BoolVar(&work, "work", false, "act as a load process: compute, flood ADDR:PORT, reflect ADDR:PORT, polls LINK ADDR")
	flag.Parse()
	if work {
		fail(bfdbench.Work(flag.Args()))
		return
	}
	o.Loads = strings.Split(loads, ",")
	var err error
	o.Baton, err = filepath.Abs(o.Baton) // the nodes have another working directory
	fail(err)
	o.Program, err = os.Executable()
	fail(err)
	result, err := bfdbench.Run(ctx, o)
	fail(err)
	fail(result.Write(os.Stdout))
	if !result.Held() {
		os.Exit(1)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
