package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// socket is the name of the node's socket in its folder.
const socket = "node.sock"

// answerMost is the maximum length of an answer.
const answerMost = 4 << 10

// answer is the result of a command.
type answer struct {
	Said  string `json:"said"`  // output of the command
	Error string `json:"error"` // why it failed, "" if it did not
}

// path is the socket's path through a descriptor of its folder, because a socket's path
// must be short.
func path(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socket) }

// serve runs the requested commands until the node ends.
func (n *node) serve() error {
	if len(n.Commands) == 0 {
		return nil
	}
	dir, err := os.Open(n.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := os.Remove(path(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path(dir))
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go n.reply(c)
		}
	}()
	return nil
}

func (n *node) reply(c net.Conn) {
	defer c.Close()
	var word string
	if json.NewDecoder(c).Decode(&word) != nil {
		return
	}
	var a answer
	var err error
	if a.Said, err = n.output(word, n.Commands[word]); err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(c).Encode(a) // the client may have closed the connection
}

// Ask runs a command in the node of a folder and returns its output. The error is a
// *Refused if the command failed.
func Ask(ctx context.Context, folder, word string) (string, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path(dir))
	if err != nil {
		return "", fmt.Errorf("the node does not answer: %w", err)
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline) // it only fails on a closed connection
	}
	if err := json.NewEncoder(c).Encode(word); err != nil {
		return "", err
	}
	var a answer
	switch err := json.NewDecoder(c).Decode(&a); {
	case errors.Is(err, io.EOF):
		return "", errors.New("the node ended before it answered")
	case err != nil:
		return "", fmt.Errorf("the node does not answer: %w", err)
	case a.Error != "":
		return "", &Refused{Why: a.Error, Said: a.Said}
	}
	return a.Said, nil
}

// Close removes the socket from a node's folder after the node has ended.
func Close(folder string) error {
	if err := os.Remove(filepath.Join(folder, socket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Refused is the error of a command that failed.
type Refused struct{ Why, Said string }

func (r *Refused) Error() string {
	if r.Said == "" {
		return r.Why
	}
	return r.Why + ": " + r.Said
}

// output runs a bounded command and returns its output. It reads concurrently, so that a
// long output does not block the command.
func (n *node) output(what, script string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer r.Close()
	printed := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(r, answerMost))
		_, _ = io.Copy(io.Discard, r)
		printed <- strings.TrimSpace(string(text))
	}()
	err = n.bounded(what, script, w)
	w.Close()
	_ = r.SetReadDeadline(time.Now().Add(time.Millisecond)) // a child that outlives the command may hold the pipe
	return <-printed, err
}
