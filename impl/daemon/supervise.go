package daemon

import "context"

// supervise tells the service manager that the node is ready once its loop has answered,
// and that it lives for as long as the loop goes on to.
func (d *daemon) supervise(ctx context.Context) {
	answers := func() bool {
		_, err := ask(ctx, d.loop, func() (struct{}, error) { return struct{}{}, nil })
		return err == nil
	}
	if answers() {
		d.manager.Ready()
	}
	every := d.manager.AliveEvery()
	for every > 0 && answers() {
		d.manager.Alive()
		pause(ctx, every)
	}
}
