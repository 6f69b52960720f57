package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// shelf is a Directory in memory.
type shelf struct {
	mu     sync.Mutex
	keys   []directory.Key
	jobs   []directory.Job
	notes  []directory.Remark
	claims map[string]directory.Request
	fault  error
	panics bool
}

func (s *shelf) begin() error {
	if s.panics {
		panic("a shelf falls")
	}
	return s.fault
}

func (s *shelf) Key(client, id string) (directory.Key, error) {
	return s.find(client, func(k *directory.Key) bool { return k.ID == id })
}

func (s *shelf) ByAddress(client, address string) (directory.Key, error) {
	return s.find(client, func(k *directory.Key) bool { return k.Address == address })
}

func (s *shelf) find(client string, is func(*directory.Key) bool) (directory.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return directory.Key{}, err
	}
	for i := range s.keys {
		if k := &s.keys[i]; is(k) && (client == "" || k.Client == client) {
			return *k, nil
		}
	}
	return directory.Key{}, directory.ErrNotFound
}

func (s *shelf) Keys(q directory.KeyQuery) (page directory.KeyPage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return page, err
	}
	at := 0
	if q.After != "" {
		if at, err = strconv.Atoi(q.After); err != nil {
			return page, directory.ErrCursor
		}
	}
	for ; at < len(s.keys); at++ {
		k := s.keys[at]
		if q.Client != "" && k.Client != q.Client || q.Chain != "" && k.Chain != q.Chain || q.Job != "" && k.Job != q.Job ||
			q.Label != "" && k.Label != q.Label || q.Text != "" && !strings.Contains(k.Label, q.Text) {
			continue
		}
		if len(page.Keys) == q.Limit {
			page.Next = strconv.Itoa(at)
			break
		}
		page.Keys = append(page.Keys, k)
	}
	return page, nil
}

func (s *shelf) Job(client, id string) (directory.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.ID == id && (client == "" || j.Client == client) {
			return j, s.begin()
		}
	}
	return directory.Job{}, cmp.Or(s.begin(), directory.ErrNotFound)
}

func (s *shelf) Jobs(q directory.JobQuery) (page directory.JobPage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if q.Client == "" || j.Client == q.Client {
			page.Jobs = append(page.Jobs, j)
		}
	}
	return page, s.begin()
}

// Watch looks every few milliseconds.
func (s *shelf) Watch(ctx context.Context, client, id string) (<-chan directory.Job, error) {
	if _, err := s.Job(client, id); err != nil {
		return nil, err
	}
	lines := make(chan directory.Job)
	go func() {
		defer close(lines)
		for {
			j, err := s.Job(client, id)
			if err != nil {
				return
			}
			select {
			case lines <- j:
			case <-ctx.Done():
				return
			}
			if j.State.Ended() {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return lines, nil
}

func (s *shelf) Note(_ context.Context, r directory.Remark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	s.notes = append(s.notes, r)
	for i := range s.keys {
		if k := &s.keys[i]; k.Client == r.Client && k.ID == r.Key {
			k.Label, k.Metadata = r.Label, r.Metadata
		}
	}
	return nil
}

func (s *shelf) Claim(_ context.Context, r directory.Request) (directory.Request, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.claims[r.Client+r.Job]; ok {
		return old, false, s.begin()
	}
	if s.claims == nil {
		s.claims = map[string]directory.Request{}
	}
	s.claims[r.Client+r.Job] = r
	return r, true, s.begin()
}

func (s *shelf) Result(context.Context, string, string) ([]byte, map[string][]string, error) {
	return nil, nil, cmp.Or(s.begin(), directory.ErrNotFound)
}

func (s *shelf) Ready() error { return s.fault }

// set changes a job of the shelf, or puts one on it.
func (s *shelf) set(j directory.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.jobs, func(o directory.Job) bool { return o.ID == j.ID })
	if i < 0 {
		s.jobs = append(s.jobs, j)
		return
	}
	s.jobs[i] = j
}

func sum(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}
