// Package stored opens the files of stored runs, whoever put them there: only regular
// files, so that a pipe or a device in a folder of results can neither hold up a
// reader nor feed it without end, and only as much of them as their kind may have.
// It reads nothing into them and writes none; packages scenarios, reports and evidence call it.
package stored

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrIrregular says that something is no regular file.
var ErrIrregular = errors.New("is no regular file")

// Open opens a regular file, or what a link leads to if that is one. The errors are
// those of os.Open, and ErrIrregular.
func Open(name string) (*os.File, error) {
	// Without O_NONBLOCK the open itself waits for whoever writes into a pipe.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: name, Err: ErrIrregular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadFile reads a regular file that has most bytes or fewer.
func ReadFile(name string, most int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = &os.PathError{Op: "read", Path: name, Err: fmt.Errorf("is longer than %d bytes", most)}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
