package daemon

import "context"

// supervise tells the service manager that the node is ready once the loop has answered,
// and then that it is alive while the loop answers.
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
