package httpapi

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// memory is a directory in memory, which several servers may share as gateways share JetStream.
type memory struct {
	mu      sync.Mutex
	keys    map[string]directory.Key
	jobs    map[string]directory.Job
	claims  map[string]directory.Request
	results map[string][]byte
	watches []watch
	notReady,
	claimErr error
}

type watch struct {
	job string
	to  chan directory.Job
}

func newMemory() *memory {
	return &memory{keys: map[string]directory.Key{}, jobs: map[string]directory.Job{},
		claims: map[string]directory.Request{}, results: map[string][]byte{}}
}

func (m *memory) Key(client, id string) (directory.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[id]
	if !ok || client != "" && k.Client != client {
		return k, directory.ErrNotFound
	}
	return k, nil
}

func (m *memory) Keys(q directory.KeyQuery) (page directory.KeyPage, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.keys)) {
		if k := m.keys[id]; (q.Job == "" || k.Job == q.Job) && (q.Client == "" || k.Client == q.Client) {
			page.Keys = append(page.Keys, k)
		}
	}
	return page, nil
}

func (m *memory) ByAddress(string, string) (directory.Key, error) {
	return directory.Key{}, directory.ErrNotFound
}

func (m *memory) Job(client, id string) (directory.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, ok := m.jobs[id]
	if !ok || client != "" && j.Client != client {
		return directory.Job{}, directory.ErrNotFound
	}
	return j, nil
}

func (m *memory) Jobs(q directory.JobQuery) (page directory.JobPage, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if (q.Client == "" || q.Client == j.Client) && (q.Kind == "" || q.Kind == j.Kind) && (q.State == "" || q.State == j.State) {
			page.Jobs = append(page.Jobs, j)
		}
	}
	slices.SortFunc(page.Jobs, func(a, b directory.Job) int { return b.Created.Compare(a.Created) })
	if q.Limit > 0 && len(page.Jobs) > q.Limit {
		page.Jobs, page.Next = page.Jobs[:q.Limit], "more"
	}
	return page, nil
}

func (m *memory) Watch(ctx context.Context, client, id string) (<-chan directory.Job, error) {
	j, err := m.Job(client, id)
	if err != nil {
		return nil, err
	}
	in, out := make(chan directory.Job, 16), make(chan directory.Job)
	m.mu.Lock()
	m.watches = append(m.watches, watch{id, in})
	m.mu.Unlock()
	go func() {
		defer close(out)
		for {
			select {
			case out <- j:
			case <-ctx.Done():
				return
			}
			if j.State.Ended() {
				return
			}
			select {
			case j = <-in:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// set changes a job's line.
func (m *memory) set(j directory.Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs[j.ID] = j
	for _, w := range m.watches {
		if w.job == j.ID {
			w.to <- j
		}
	}
}

func (m *memory) Note(context.Context, directory.Remark) error { return nil }

func (m *memory) Claim(_ context.Context, r directory.Request) (directory.Request, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claimErr != nil {
		return r, false, m.claimErr
	}
	if stands, taken := m.claims[r.Client+" "+r.Job]; taken {
		return stands, false, nil
	}
	m.claims[r.Client+" "+r.Job] = r
	if _, there := m.jobs[r.Job]; !there {
		m.jobs[r.Job] = directory.Job{ID: r.Job, Client: r.Client, Kind: r.Kind, State: directory.Accepted, Count: r.Count,
			Created: r.Time}
	}
	return r, true, nil
}

func (m *memory) Result(_ context.Context, client, job string) ([]byte, map[string][]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	payload, ok := m.results[client+" "+job]
	if !ok {
		return nil, nil, directory.ErrNotFound
	}
	return payload, map[string][]string{wire.HeaderGateway: {"gateway0"}, "frost-signature": {"abcd"}}, nil
}

func (m *memory) Ready() error { return m.notReady }

func sha(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// room reports whether all watches can take one more line.
func (m *memory) room() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(m.watches, func(w watch) bool { return len(w.to) == cap(w.to) })
}
