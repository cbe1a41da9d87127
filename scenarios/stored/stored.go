// Package stored opens the files of stored runs, which may come from anyone. It opens only
// regular files, because a pipe or a device could block the reader or supply data without
// end, and it limits how much is read. It does not interpret the contents and writes
// nothing. Packages scenarios, reports and evidence call it.
package stored

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrIrregular is the error for anything but a regular file.
var ErrIrregular = errors.New("is not a regular file")

// Open opens a regular file or a symbolic link to one. It returns the errors of os.Open, and
// ErrIrregular.
func Open(name string) (*os.File, error) {
	// Without O_NONBLOCK, opening a pipe blocks until another process opens it for writing.
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

// ReadFile reads a regular file of at most most bytes. A longer file is an error.
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
