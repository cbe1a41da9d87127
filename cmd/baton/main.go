// Command baton is a high-availability load balancer node and the harness that
// proves it. This package parses arguments and wires packages together; it holds
// no logic of its own.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/checkproc"
)

// version is set by the Makefile.
var version = "unversioned"

func main() {
	if checkproc.Called() {
		os.Exit(checkproc.Main())
	}
	root := rootCommand()
	// An error before a command runs is a mistake in the command line.
	running := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		err := c.ValidateRequiredFlags()
		running = err == nil
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	c, err := root.ExecuteContextC(ctx)
	if err != nil && !running {
		err = badInput("%w; see %s --help; usage: %s", err, c.CommandPath(), c.UseLine())
	}
	os.Exit(exitCode(err))
}

// rootCommand is the root of all commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "baton",
		Short: "A high-availability load balancer node, and the harness that proves it",
		Long: "baton runs scenarios that kill and restore the MASTER of a load balancer pair under live traffic,\n" +
			"and says with evidence whether a client saw a RST or lost a session.\n\n" +
			exitSummary() + ".",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), newCommand(), lintCommand(), explainCommand(), simCommand(), shrinkCommand(), exploreCommand(), reportCommand(), serveCommand(), compareCommand(), parityCommand(), nodeCommand(), bfdCommand(), statusCommand(), handoverCommand(), reloadCommand(), backendCommand(), serviceCommand(), pkiCommand(), doctorCommand(), labCommand(), subjectCommand(), benchSubjectsCommand(), manCommand())
	refuseUnknownShell(root)
	return root
}

// refuseUnknownShell makes the completion command fail for a shell that it does not
// know. Cobra would print its help and exit with 0.
func refuseUnknownShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}
