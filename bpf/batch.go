package bpf

import (
	"errors"
	"sync"

	"github.com/cilium/ebpf"
)

// batchMax is how many entries one run of a table program handles: BATCH_MAX of maps.h.
const batchMax = 4096

// batchBuffer is the memory that table programs work on. A run locks it, so a long sweep
// alternates with the installation of the peer's entries.
type batchBuffer[A addr] struct {
	use    sync.Mutex
	memory mapping[rawRecord[A]]
}

func (b *batchBuffer[A]) open(m *ebpf.Map) (err error) {
	b.memory, err = mapMemory[rawRecord[A]](m)
	return err
}

func (b *batchBuffer[A]) close() error {
	b.use.Lock()
	defer b.use.Unlock()
	return b.memory.close()
}

// condition selects the records of a batch that take effect: enum condition of types.h.
type condition uint32

const (
	noCondition     condition = iota // all
	applyMissing                     // records of which the table has neither tuple
	removeUnchanged                  // records whose entry is unchanged
	removeDamaged                    // records whose entry is damaged
)

// run runs a table program over n records. fill writes them. collect, if not nil, reads them
// afterwards. It returns how many took effect; the others have word 0.
func (b *batchBuffer[A]) run(p *ebpf.Program, n int, only condition, fill, collect func([]rawRecord[A])) (int, error) {
	b.use.Lock()
	defer b.use.Unlock()
	if b.memory.values == nil {
		return 0, errors.New("the dataplane is closed")
	}
	args := lbBatchArgs{Count: uint32(n), Condition: uint32(only)}
	fill(b.memory.values[:n])
	if _, err := p.Run(&ebpf.RunOptions{Context: &args, ContextOut: &args}); err != nil {
		return 0, err
	}
	if collect != nil {
		collect(b.memory.values[:n])
	}
	return int(args.Done), nil
}
