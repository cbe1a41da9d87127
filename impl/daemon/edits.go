package daemon

import (
	"context"
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
	mu    sync.Mutex
	texts map[string]string // by service, for config.Put; "" if it was deleted
	queue []node.Decided    // changes of the MASTER, not applied yet
	ready chan struct{}     // holds a token if the queue is not empty

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

// take moves the queue into texts and returns them.
func (e *edits) take() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	texts := maps.Clone(e.texts)
	for _, change := range e.queue {
		if change.Data == nil {
			delete(texts, change.Topic)
		} else {
			texts[change.Topic] = string(change.Data)
		}
	}
	e.queue = nil
	return texts
}

// replace replaces texts and returns what to tell the core.
func (e *edits) replace(texts map[string]string) []node.Decided {
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
	e.texts = texts
	return told
}

// describe marks the services that were changed at run time and lists the deleted ones.
func (e *edits) describe(s *control.Status, file *config.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range s.Services {
		if _, edited := e.texts[s.Services[i].Name]; edited {
			s.Services[i].Edited = "changed"
			if !slices.ContainsFunc(file.Services, func(f config.Service) bool { return f.Name == s.Services[i].Name }) {
				s.Services[i].Edited = "added"
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(e.texts)) {
		if e.texts[service] == "" {
			s.Deleted = append(s.Deleted, service)
		}
	}
}

// describeEdits adds the differences from the file to a status.
func (d *daemon) describeEdits(s *control.Status) {
	d.edits.describe(s, d.file.Load())
}

// withEdits returns the file's configuration with the given services. It skips and reports
// services that are invalid. It applies them in an order in which none conflicts with a
// later one.
func withEdits(file *config.Config, texts map[string]string, refused func(service string, err error)) (next *config.Config, held map[string]string) {
	next, held = file, map[string]string{}
	left := slices.Sorted(maps.Keys(texts))
	for progress := true; progress && len(left) > 0; {
		before := len(left)
		left = slices.DeleteFunc(left, func(service string) bool {
			changed, err := next.Put(service, texts[service])
			if err == nil {
				next, held[service] = changed, texts[service]
			}
			return err == nil
		})
		progress = len(left) < before
	}
	for _, service := range left {
		_, err := next.Put(service, texts[service])
		refused(service, err)
	}
	return next, held
}

// followEdits applies the MASTER's changes until ctx is done.
func (d *daemon) followEdits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.edits.ready:
			d.applyEdits(ctx)
		}
	}
}

// applyEdits makes the services equal to the MASTER's.
func (d *daemon) applyEdits(ctx context.Context) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	next, held := withEdits(d.file.Load(), d.edits.take(), func(service string, err error) {
		d.loop.fail(callFollow, "service "+service+" differs from the MASTER's", err)
	})
	changes, err := d.change(ctx, next, held)
	if err != nil {
		d.loop.fail(callServices, "services differ from the MASTER's", err)
	}
	for _, change := range changes {
		d.log.Info("changed to match the MASTER", "change", change)
	}
}

// change applies a configuration in which these services were changed at run time. The
// caller holds reloading.
func (d *daemon) change(ctx context.Context, next *config.Config, texts map[string]string) (changes []string, err error) {
	if err := d.takeOver(ctx, next); err != nil {
		return nil, err
	}
	changes = configChanges(d.running, next)
	d.running = next
	for _, told := range d.edits.replace(texts) {
		d.loop.inbox.post(told)
	}
	return changes, nil
}

// serviceOf returns the service of a topic.
func serviceOf(topic string) (service string, ok bool) {
	return strings.CutPrefix(topic, servicePrefix)
}
