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
	// scanEvery is how long after a change the index shows it, at most, of a folder that
	// is scanned quickly.
	scanEvery = 500 * time.Millisecond
	// headerLimit bounds how long a client may take to send a request.
	headerLimit = 5 * time.Second
	// endLimit bounds how long answers that are being sent hold up the end.
	endLimit = 5 * time.Second
)

func serveCommand() *cobra.Command {
	var listen string
	var last int
	var asJSON bool
	c := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve an index of the runs below a folder, live, with their history",
		Long: "Serve shows all runs below the folder in a browser: for each scenario what the last runs came to, how often each\n" +
			"verdict, the flake rate and since when it is red, and the page of each run. The index follows the folder while a\n" +
			"suite runs. Runs keep the verdict that they have stored; the page of a run judges it again.\n\n" +
			"It listens on loopback only unless --listen says otherwise, changes nothing in the folder, follows no symbolic link\n" +
			"in it, and ends with 0 at an interrupt. A folder that is none and an address in use are exit 2.",
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
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8370", "address and port; port 0 takes any that is free")
	c.Flags().IntVar(&last, "last", 20, "over how many runs of a scenario its history goes")
	c.Flags().BoolVar(&asJSON, "json", false, "print the index as JSON and end")
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
