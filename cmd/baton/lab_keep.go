package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/check"
)

// keptLab is the pair of a failed run, kept for inspection.
type keptLab struct {
	dir  string // of the run, and of the lab
	kept bool
	err  error
}

// hold keeps the world of a run that has failed, until ctx ends.
func (k *keptLab) hold(ctx context.Context, run *scenarios.Run, v check.Verdict) {
	world, real := run.World.(*netns.World)
	if !real || v.Verdict != check.Fail {
		return
	}
	k.kept = true
	fmt.Printf("%s: %s; its traffic has ended, its pair is kept: baton lab --dir %s\n", v.Scenario, v.Reasons[0], k.dir)
	if k.err = openLab(ctx, k.dir, world, run.Recording, run.Plan); k.err != nil {
		return
	}
	<-ctx.Done()
	if err := os.Remove(filepath.Join(k.dir, labFile)); !errors.Is(err, fs.ErrNotExist) {
		k.err = err
	}
}

// ended returns an error if a pair was kept; then nothing more is run.
func (k *keptLab) ended() error {
	if !k.kept {
		return nil
	}
	return &exitError{exitFail, k.err}
}
