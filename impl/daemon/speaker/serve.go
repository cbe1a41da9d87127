package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/realtime"
	"baton/impl/daemon/record"
)

// Options are the settings of the command line.
type Options struct {
	ConfigFile string
	LogTo      io.Writer
	// Ordinary leaves the process's scheduling, memory and garbage collector unchanged.
	Ordinary bool
}

// recordLimit bounds the wait for the last log lines.
const recordLimit = time.Second

// Serve runs a speaker. It returns nil once ctx is done or the control socket has requested
// it, after telling each peer that its session is AdminDown. Configuration errors have exit
// code 2.
func Serve(ctx context.Context, opts Options) error {
	cfg, err := config.LoadSpeaker(opts.ConfigFile)
	if err != nil {
		return err
	}
	records := record.New(record.Config{Log: slog.NewTextHandler(opts.LogTo, nil)})
	defer records.Close(recordLimit)
	log := records.Logger()
	if !opts.Ordinary {
		realtime.Process(log)
	}
	s, err := Open(cfg, log)
	if err != nil {
		return err
	}
	defer s.Close()
	server, err := control.ListenSpeaker(cfg.Control, controller{s})
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	if !opts.Ordinary {
		realtime.Threads(log)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() { server.Serve(serving) })
	release := context.AfterFunc(ctx, s.Stop)
	err = s.runOnThread(log, opts.Ordinary)
	release()
	stop()
	helpers.Wait()
	return err
}

// runOnThread runs the loop on its own thread until it ends.
func (s *Speaker) runOnThread(log *slog.Logger, ordinary bool) error {
	ended := make(chan error, 1)
	go func() {
		// Never unlocked: the thread has a priority that no other goroutine should have,
		// and ends with this one.
		runtime.LockOSThread()
		if !ordinary {
			realtime.LoopThread(log)
		}
		ended <- s.Run()
	}()
	if err := <-ended; err != nil {
		return errors.Join(errors.New("speaker: the loop failed"), err)
	}
	return nil
}
