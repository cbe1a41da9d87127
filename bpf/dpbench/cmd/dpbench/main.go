// Command dpbench prints what a packet costs the dataplane, beside the kernel's own
// ways (make bench-dataplane). It needs root. It exits 2 if nothing could be measured.
package main

import (
	"flag"
	"fmt"
	"os"

	"baton/bpf/dpbench"
)

func main() {
	var o dpbench.Options
	flag.IntVar(&o.Rounds, "rounds", 10, "how often each row is measured; the least time counts")
	packets := flag.Uint("packets", 200_000, "packets of a row in a round")
	flag.Parse()
	o.Packets = uint32(*packets)
	result, err := dpbench.Run(o, func(what string) { fmt.Fprintln(os.Stderr, what+" …") })
	if err == nil {
		err = result.Write(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
