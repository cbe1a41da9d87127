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

// socket is where a node is asked, in its folder.
const socket = "node.sock"

// answerMost is how much of an answer is read.
const answerMost = 4 << 10

// answer is what became of a word.
type answer struct {
	Said  string `json:"said"`  // what the command printed
	Error string `json:"error"` // how it went wrong, "" if it did not
}

// path is the socket's path through the descriptor of its folder: a socket's path must be short.
func path(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socket) }

// serve runs the command of each word that is asked for, until the node ends.
func (n *node) serve() error {
	if len(n.Words) == 0 {
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
	if a.Said, err = n.output(word, n.Words[word]); err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(c).Encode(a) // the client may have closed the connection
}

// Ask asks the node of a folder for a word, and returns what the command printed. The error
// is a *Refused if the command did not succeed.
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
		_ = c.SetDeadline(deadline) // it fails on a closed connection only
	}
	if err := json.NewEncoder(c).Encode(word); err != nil {
		return "", err
	}
	var a answer
	switch err := json.NewDecoder(c).Decode(&a); {
	case errors.Is(err, io.EOF):
		return "", errors.New("the node ended before it had answered")
	case err != nil:
		return "", fmt.Errorf("the node does not answer: %w", err)
	case a.Error != "":
		return "", &Refused{Why: a.Error, Said: a.Said}
	}
	return a.Said, nil
}

// Close removes from a node's folder what its end has left there.
func Close(folder string) error {
	if err := os.Remove(filepath.Join(folder, socket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Refused is the error of a command that did not succeed.
type Refused struct{ Why, Said string }

func (r *Refused) Error() string {
	if r.Said == "" {
		return r.Why
	}
	return r.Why + ": " + r.Said
}

// output runs a bounded command and returns what it printed. It reads along, so that a
// command that prints much does not wait for a reader.
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
	_ = r.SetReadDeadline(time.Now().Add(time.Millisecond)) // a child that outlives it may hold the pipe
	return <-printed, err
}
