package telemetry

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// fleetSize is how many nodes a fleet has, which changes with its manifest.
type fleetSize struct {
	mu   sync.Mutex // held by who resizes
	now  atomic.Pointer[[2]int]
	ever atomic.Int64 // nodes that it had at most: so many have series
}

func (s *fleetSize) nodes() float64     { return float64(s.now.Load()[0]) }
func (s *fleetSize) threshold() float64 { return float64(s.now.Load()[1]) }
func (s *fleetSize) most() int          { return int(s.ever.Load()) }

// Resize takes n and t of the fleet as they are now. Nodes that are new have all their series
// from here on.
func (m *Metrics) Resize(nodes, threshold int) {
	s := &m.size
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(&[2]int{nodes, threshold})
	for i := s.most(); i < nodes; i++ {
		index := strconv.Itoa(i)
		for _, code := range abortCodes {
			m.work.aborts.WithLabelValues(string(code), index)
		}
		for _, code := range blameCodes {
			m.work.blamed.WithLabelValues(index, string(code))
		}
		for _, kind := range wire.Kinds {
			m.jobs.retries.WithLabelValues(string(kind), index)
		}
		s.ever.Store(int64(i) + 1)
	}
}

// nobody is the label of whose fault something is, for what is nobody's. Resize makes the others.
var nobody = oneOf("culprit", culprit(-1, 0))

func culprit(node, nodes int) string {
	if node < 0 || node >= nodes {
		return "none"
	}
	return strconv.Itoa(node)
}
