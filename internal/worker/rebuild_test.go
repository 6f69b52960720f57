package worker

import (
	"context"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// TestRebuildsAreBounded: who reads the log waits while enough batches are
// being rebuilt, and no longer.
func TestRebuildsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	finish := make(chan struct{})
	slow := protocol.Compute{Rebuild: true, Run: func() protocol.Event { <-finish; return nil }}
	for range maxRebuilds() {
		node.perform([]protocol.Effect{slow})
	}
	next := make(chan struct{})
	go func() {
		node.perform([]protocol.Effect{slow})
		close(next)
	}()
	select {
	case <-next:
		t.Error("one more was begun")
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	<-next
	eventually(t, "all ended", func() bool { return len(node.rebuilds) == 0 })
}

// TestRebuildEndsWithTheWorker: once the pool has ended nothing makes room.
func TestRebuildEndsWithTheWorker(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := &Worker{ctx: ctx, rebuilds: make(chan struct{})}
	cancel()
	w.rebuild(protocol.Compute{Run: func() protocol.Event { t.Error("computed"); return nil }})
}
