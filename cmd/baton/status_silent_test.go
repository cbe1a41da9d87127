package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/control"
)

// TestANodeThatDoesNotAnswerIsNamed: one that is stopped still has its socket.
func TestANodeThatDoesNotAnswerIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "lb1.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = withNode(ctx, []string{socket}, func(ctx context.Context, client *control.Client) error {
		_, err := client.Status(ctx)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "the node of "+socket+" is there but did not answer") {
		t.Error(err)
	}
}
