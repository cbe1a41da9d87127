package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"baton/reports/serve"
)

const (
	// scanEvery bounds how long after a change the index shows it, if scanning the folder
	// is quick.
	scanEvery = 500 * time.Millisecond
	// headerLimit bounds how long a client may take to send a request.
	headerLimit = 5 * time.Second
	// endLimit bounds how long the end waits for answers that are being sent.
	endLimit = 5 * time.Second
)

func serveCommand() *cobra.Command {
	var listen string
	var last int
	var asJSON bool
	c := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve a live index of all runs below a folder, with their history",
		Long: "Serve shows all runs below the folder in a browser: for each scenario the latest verdicts, how often each verdict\n" +
			"occurred, the flake rate, since when it fails, and the page of each run. The index is updated while a suite runs.\n" +
			"The index shows the stored verdict of each run; the page of a run judges it again.\n\n" +
			"It listens on loopback unless --listen names another address. It changes nothing in the folder, follows no symbolic link\n" +
			"in it, and exits with 0 on an interrupt. A missing folder or an address in use is bad input (exit code 2).",
		Example:           "  baton serve out\n  baton serve --listen 127.0.0.1:9000 --last 50 out\n  baton serve --json out",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, args []string) error {
			if last < 1 {
				return badInput("--last %d: a history has at least one run", last)
			}
			host, _, err := net.SplitHostPort(listen)
			if err != nil {
				return badInput("--listen %s: %w", listen, err)
			}
			s, err := serve.Open(args[0], serve.Options{Last: last, Every: scanEvery, Host: host})
			if err != nil {
				return badInput("%w", err)
			}
			defer s.Close()
			if asJSON {
				s.Update()
				return printJSON(s.Index())
			}
			return serveRuns(c.Context(), s, listen, args[0])
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8370", "address and port; port 0: any free port")
	c.Flags().IntVar(&last, "last", 20, "number of runs in the history of a scenario")
	c.Flags().BoolVar(&asJSON, "json", false, "print the index as JSON and exit")
	return c
}

// serveRuns serves until the context ends.
func serveRuns(ctx context.Context, s *serve.Server, listen, dir string) error {
	socket, err := net.Listen("tcp", listen)
	if err != nil {
		return badInput("--listen: %w", err)
	}
	s.Update()
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.Watch(watching) }()
	defer func() { stop(); <-watched }()
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerLimit,
		// Browsers that follow end with the context: Shutdown waits for them.
		BaseContext: func(net.Listener) context.Context { return watching }}
	fmt.Printf("serving %s at http://%s/ until interrupted\n", dir, socket.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(socket) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("serve: end: %w", err), server.Close())
	}
	return nil
}
