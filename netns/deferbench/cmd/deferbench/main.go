// Command deferbench measures what sync.defer costs a connection, and where (make
// bench-defer-latency). It needs root. It exits 2 if nothing could be measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/netns/deferbench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	o := deferbench.Options{Progress: func(what string) { fmt.Fprintln(os.Stderr, what+" …") }}
	var rates string
	var work bool
	flag.StringVar(&o.Baton, "baton", "bin/baton", "path of the baton program")
	flag.StringVar(&rates, "rates", "50,500,1500", "connections a second, one after the other")
	flag.DurationVar(&o.Duration, "for", 10*time.Second, "how long to measure each")
	flag.BoolVar(&work, "work", false, "act as a TLS process: pong DIR ID PEER ADDR, or ping DIR ID PEER ADDR RATE DURATION")
	flag.Parse()
	if work {
		fail(deferbench.Work(flag.Args()))
		return
	}
	for word := range strings.SplitSeq(rates, ",") {
		rate, err := strconv.Atoi(word)
		fail(err)
		o.Rates = append(o.Rates, rate)
	}
	var err error
	o.Baton, err = filepath.Abs(o.Baton) // the nodes have another working directory
	fail(err)
	o.Program, err = os.Executable()
	fail(err)
	result, err := deferbench.Run(ctx, o)
	fail(err)
	fail(result.Write(os.Stdout))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
