package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/node"
)

// edits are the services that differ from the configuration file because they were changed
// at run time, here or at the MASTER that this node follows.
type edits struct {
	mu      sync.Mutex
	texts   map[string]string // by service, for config.Put; "" if it was deleted
	refused map[string]bool   // the services among them that do not apply here
	queue   []node.Decided    // changes of the MASTER, not applied yet
	ready   chan struct{}     // holds a token if the queue is not empty

	following atomic.Bool // the MASTER decides
}

// servicePrefix is the prefix of topics for changed services.
const servicePrefix = "service/"

// follow queues a change of the MASTER; followEdits applies it.
func (e *edits) follow(service string, data []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, node.Decided{Topic: service, Data: data})
	set(e.ready)
}

// newEdits returns no changes.
func newEdits() *edits { return &edits{texts: map[string]string{}, ready: make(chan struct{}, 1)} }

// pending returns the texts with the queue's changes, and how many these are. The queue stays until
// replace: what could not be applied is tried again.
func (e *edits) pending() (texts map[string]string, queued int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	texts = maps.Clone(e.texts)
	for _, change := range e.queue {
		if change.Data == nil {
			delete(texts, change.Topic)
		} else {
			texts[change.Topic] = string(change.Data)
		}
	}
	return texts, len(e.queue)
}

// editSet is the changes after those of the queue that it includes.
type editSet struct {
	texts   map[string]string
	refused map[string]bool
	queued  int // from the head of the queue
}

// replace replaces the changes and returns what to tell the core. It is also told those that do not
// apply here, so that a takeover keeps them.
func (e *edits) replace(next editSet) []node.Decided {
	texts := next.texts
	e.mu.Lock()
	defer e.mu.Unlock()
	var told []node.Decided
	for _, service := range slices.Sorted(maps.Keys(e.texts)) {
		if _, still := texts[service]; !still {
			told = append(told, node.Decided{Topic: servicePrefix + service})
		}
	}
	for _, service := range slices.Sorted(maps.Keys(texts)) {
		if old, there := e.texts[service]; !there || old != texts[service] {
			told = append(told, node.Decided{Topic: servicePrefix + service, Data: append([]byte{}, texts[service]...)})
		}
	}
	e.texts, e.refused, e.queue = texts, next.refused, e.queue[next.queued:]
	return told
}

// describe marks the services that were changed at run time and lists the deleted ones.
func (e *edits) describe(s *control.Status, file *config.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range s.Services {
		if _, edited := e.texts[s.Services[i].Name]; edited && !e.refused[s.Services[i].Name] {
			s.Services[i].Edited = "changed"
			if !slices.ContainsFunc(file.Services, func(f config.Service) bool { return f.Name == s.Services[i].Name }) {
				s.Services[i].Edited = "added"
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(e.texts)) {
		if e.texts[service] == "" && !e.refused[service] {
			s.Deleted = append(s.Deleted, service)
		}
	}
}

// describeEdits adds the differences from the file to a status.
func (d *daemon) describeEdits(s *control.Status) {
	d.edits.describe(s, d.file.Load())
}

// withEdits returns the file's configuration with the given services, in an order in which none
// conflicts with a later one, and why it leaves some of them out: they are invalid here, or accept
// returns an error for a configuration with them.
func withEdits(file *config.Config, texts map[string]string, accept func(*config.Config) error) (next *config.Config, refused map[string]error) {
	next, refused = file, map[string]error{}
	left := slices.Sorted(maps.Keys(texts))
	for progress := true; progress && len(left) > 0; {
		before := len(left)
		left = slices.DeleteFunc(left, func(service string) bool {
			changed, err := next.Put(service, texts[service])
			if err == nil {
				err = accept(changed)
			}
			if err != nil {
				refused[service] = err
				return false
			}
			delete(refused, service)
			next = changed
			return true
		})
		progress = len(left) < before
	}
	return next, refused
}

// followEdits applies the MASTER's changes until ctx is done.
func (d *daemon) followEdits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.edits.ready:
		}
		if err := d.applyEdits(ctx); err != nil && !errors.Is(err, errEnded) {
			d.loop.fail(callServices, "services differ from the MASTER's", err)
			pause(ctx, rewriteAfter)
			set(d.edits.ready)
		}
	}
}

// applyEdits makes the services equal to the MASTER's.
func (d *daemon) applyEdits(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	changes, err := d.follow(ctx, d.file.Load())
	for _, change := range changes {
		d.log.Info("changed to match the MASTER", "change", change)
	}
	return err
}

// follow applies the MASTER's changes to the services of a file, except those that do not apply here.
// It remembers these: they are tried again with each change and reload. The caller holds reloading.
func (d *daemon) follow(ctx context.Context, file *config.Config) (changes []string, err error) {
	texts, queued := d.edits.pending()
	next, refused := withEdits(file, texts, func(*config.Config) error { return nil })
	changes, err = d.change(ctx, next, editsOf(texts, refused, queued))
	if err != nil && len(texts) > 0 && !errors.Is(err, errEnded) {
		// The dataplane refuses one of them: apply those that it accepts.
		next, refused = withEdits(file, texts, func(next *config.Config) error { return d.takeOver(ctx, next) })
		changes, err = d.change(ctx, next, editsOf(texts, refused, queued))
	}
	if err != nil {
		return nil, err
	}
	for _, service := range slices.Sorted(maps.Keys(refused)) {
		d.loop.fail(callFollow, "service "+service+" differs from the MASTER's", refused[service])
	}
	return changes, nil
}

func editsOf(texts map[string]string, refused map[string]error, queued int) editSet {
	set := editSet{texts, make(map[string]bool, len(refused)), queued}
	for service := range refused {
		set.refused[service] = true
	}
	return set
}

// change applies a configuration in which these services were changed at run time. The
// caller holds reloading.
func (d *daemon) change(ctx context.Context, next *config.Config, changed editSet) (changes []string, err error) {
	if err := d.takeOver(ctx, next); err != nil {
		return nil, err
	}
	changes = configChanges(d.running, next)
	d.running = next
	for _, told := range d.edits.replace(changed) {
		d.loop.inbox.post(told)
	}
	return changes, nil
}

// serviceOf returns the service of a topic.
func serviceOf(topic string) (service string, ok bool) {
	return strings.CutPrefix(topic, servicePrefix)
}
