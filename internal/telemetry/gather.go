package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// together gathers once for all who ask while an earlier gathering runs. Nobody gets
// what was gathered before he asked.
type together struct {
	prometheus.Gatherer
	running sync.Mutex // while one gathers

	mu   sync.Mutex
	next *gathering // has not begun; nil if nobody waits
}

type gathering struct {
	done     chan struct{}
	families []*dto.MetricFamily
	err      error
}

// Gather implements prometheus.Gatherer. Its callers share the result, and only read
// it.
func (t *together) Gather() ([]*dto.MetricFamily, error) {
	t.mu.Lock()
	g := t.next
	first := g == nil
	if first {
		g = &gathering{done: make(chan struct{})}
		t.next = g
	}
	t.mu.Unlock()
	if first {
		t.gather(g)
	}
	<-g.done
	return g.families, g.err
}

func (t *together) gather(g *gathering) {
	t.running.Lock()
	defer t.running.Unlock()
	defer close(g.done)
	t.mu.Lock()
	t.next = nil // it begins: whoever comes now waits for the one after it
	t.mu.Unlock()
	g.families, g.err = t.Gatherer.Gather()
}
