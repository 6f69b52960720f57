package pool

import "sync"

// Each calls do for 0 to n-1, each once, and returns when all calls have returned. It is for bulk
// functions: whoever has nothing to do helps the caller, which does the rest itself. So a batch
// on its own takes all cores, and where all are at work anyway nobody waits for anybody. A panic
// in a call is one of Each.
func (p *Pool) Each(n int, do func(i int)) {
	s := &shared{left: n, do: do}
	s.ended.L = &s.mu
	for range p.idle(n - 1) {
		p.Go(false, "", func() { s.work() })
	}
	s.work()
	s.wait()
}

// idle counts those who would begin a bulk function at once, at most so many.
func (p *Pool) idle(most int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0
	}
	return max(0, min(p.waiters-p.bulk.len(), most))
}

// shared is what several take parts of.
type shared struct {
	do       func(i int)
	mu       sync.Mutex
	ended    sync.Cond // the last one under way has ended
	next     int
	left     int // not begun
	underWay int
	panicked any
}

// work takes one after the other until none is left.
func (s *shared) work() {
	for i, ok := s.begin(); ok; i, ok = s.begin() {
		s.one(i)
	}
}

func (s *shared) begin() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 {
		return 0, false
	}
	i = s.next
	s.next++
	s.left--
	s.underWay++
	return i, true
}

func (s *shared) one(i int) {
	defer func() {
		p := recover()
		s.mu.Lock()
		defer s.mu.Unlock()
		if p != nil {
			s.panicked, s.left = p, 0 // what is not begun is not wanted any more
		}
		if s.underWay--; s.underWay == 0 {
			s.ended.Broadcast()
		}
	}()
	s.do(i)
}

// wait waits for those under way.
func (s *shared) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.underWay > 0 {
		s.ended.Wait()
	}
	if s.panicked != nil {
		panic(s.panicked)
	}
}
