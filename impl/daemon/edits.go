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

// edits are the services that differ from the configuration file, because they were changed
// at run time, here or at the MASTER that this node follows.
type edits struct {
	mu    sync.Mutex
	texts map[string]string // by service, as config.Put takes them: "" if it was deleted
	queue []node.Decided    // what the MASTER has changed and is not applied yet
	ready chan struct{}     // holds a token if the queue has something

	following atomic.Bool // the MASTER decides
}

// servicePrefix begins the topic under which a node tells its peer of a changed service.
const servicePrefix = "service/"

// follow takes what the MASTER has changed. It is applied beside the loop.
func (e *edits) follow(service string, data []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, node.Decided{Topic: service, Data: data})
	set(e.ready)
}

// take empties the queue into texts, and returns these.
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

// replace has other texts hold, and returns what to tell the core of it.
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

// describe marks the services that were changed at run time, and names those deleted.
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

// describeEdits shows what differs from the file.
func (d *daemon) describeEdits(s *control.Status) {
	d.edits.describe(s, d.file.Load())
}

// with returns the file's configuration with services as texts have them. What cannot hold
// is left out and reported. The order is that in which nothing stands in another's way.
func with(file *config.Config, texts map[string]string, refused func(service string, err error)) (next *config.Config, held map[string]string) {
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

// followEdits applies what the MASTER has changed, until ctx is done.
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

// applyEdits brings the services to what the MASTER has.
func (d *daemon) applyEdits(ctx context.Context) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	next, held := with(d.file.Load(), d.edits.take(), func(service string, err error) {
		d.loop.fail(callFollow, "service "+service+" is not as the MASTER has it", err)
	})
	changes, err := d.change(ctx, next, held)
	if err != nil {
		d.loop.fail(callServices, "services are not as the MASTER has them", err)
	}
	for _, change := range changes {
		d.log.Info("changed as at the MASTER", "change", change)
	}
}

// change has a configuration hold, with these services changed at run time. The caller
// holds reloading.
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

// serviceOf returns the service whose change a topic names.
func serviceOf(topic string) (service string, ok bool) {
	return strings.CutPrefix(topic, servicePrefix)
}
