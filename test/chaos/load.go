package chaos

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/chaos/history"
)

// jobLife is how long the fleet may work on a job; the figures count what
// fails before it.
const jobLife = 30 * time.Minute

var chains = []string{"bitcoin", "solana"}

// user is a client of the fleet, of which every job is recorded.
type user struct {
	s    *Stand
	c    *client.Client
	name string

	mu   sync.Mutex
	keys map[string][]client.Key // by chain, as they are announced
	ends []time.Time             // of signatures, in order
}

// newUser connects a client by its file in the fleet's directory.
func (s *Stand) newUser(file string) *user {
	s.t.Helper()
	cfg, err := client.Load(filepath.Join(s.dir, file))
	s.must(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c, err := client.New(ctx, cfg)
	s.must(err)
	s.t.Cleanup(c.Close)
	return &user{s: s, c: c, name: cfg.Name, keys: map[string][]client.Key{}}
}

// sign asks for signatures of n messages in one job, under keys in turn.
func (u *user) sign(ctx context.Context, chain string, n int) error {
	return u.signWith(ctx, u.some(chain, n), u.s.t.Context())
}

// signWith publishes a job under ctx, and waits for its answer under waiting.
func (u *user) signWith(ctx context.Context, keys []client.Key, waiting context.Context) error {
	id := uuid.Must(uuid.NewV7()).String()
	items := make([]client.SignItem, len(keys))
	for i, k := range keys {
		message := sha256.Sum256(fmt.Append(nil, id, i))
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message[:]}
	}
	r := record{user: u, job: history.Job{
		ID: id, Client: u.name, Kind: history.Sign, Asked: time.Now(), Expires: expiry(),
	}}
	h, err := u.c.SubmitSign(ctx, client.SignRequest{Items: items, Expires: r.job.Expires, JobID: id})
	if !r.acknowledged(err) {
		return err
	}
	got, err := h.Wait(waiting)
	if err == nil {
		var parts [][]byte
		for _, g := range got.Signatures {
			parts = append(parts, []byte(g.Key), g.Signature)
		}
		r.job.Answer = fingerprint(parts...)
	}
	return r.ended(err)
}

// keygen asks for keys, and keeps them.
func (u *user) keygen(ctx context.Context, chain string, n int) error {
	id := uuid.Must(uuid.NewV7()).String()
	r := record{user: u, job: history.Job{
		ID: id, Client: u.name, Kind: history.Keygen, Asked: time.Now(), Expires: expiry(),
	}}
	h, err := u.c.SubmitKeygen(ctx, client.KeygenRequest{Chain: chain, Count: n, Expires: r.job.Expires, JobID: id})
	if !r.acknowledged(err) {
		return err
	}
	got, err := h.Wait(u.s.t.Context())
	if err == nil {
		var parts [][]byte
		for _, k := range got.Keys {
			parts = append(parts, []byte(k.ID), k.PublicKey)
			r.job.Keys = append(r.job.Keys, k.ID)
		}
		r.job.Answer = fingerprint(parts...)
		u.mu.Lock()
		u.keys[chain] = append(u.keys[chain], got.Keys...)
		u.mu.Unlock()
	}
	return r.ended(err)
}

func expiry() time.Time { return time.Now().Add(jobLife).Truncate(time.Second) }

// some gives n keys of a chain, the newest among them.
func (u *user) some(chain string, n int) []client.Key {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, out := u.keys[chain], make([]client.Key, n)
	for i := range out {
		out[i] = all[(len(all)-1+i*7)%len(all)]
	}
	return out
}

// record is a job on its way into the history. The history has it from the time it is
// acknowledged: a job that nobody answers is in it, too.
type record struct {
	user  *user
	job   history.Job
	place int
}

func (r *record) acknowledged(err error) bool {
	s := r.user.s
	if err != nil {
		r.job.Detail = err.Error()
	} else {
		r.job.Acked = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.place = len(s.seen.Jobs)
	s.seen.Jobs = append(s.seen.Jobs, r.job)
	return err == nil
}

func (r *record) ended(err error) error {
	r.job.Ended = time.Now()
	var refused *client.JobError
	var proof *client.ProofError
	switch {
	case err == nil:
		r.job.Outcome = history.Done
	case errors.As(err, &proof):
		r.job.Outcome = history.Unproven
	case errors.As(err, &refused) && refused.Code == client.CodeExpired:
		r.job.Outcome = history.Expired
	case errors.As(err, &refused):
		r.job.Outcome = history.Failed
	default:
		r.job.Ended = time.Time{}
	}
	if err != nil {
		r.job.Detail = err.Error()
	}
	s := r.user.s
	s.mu.Lock()
	s.seen.Jobs[r.place] = r.job
	s.mu.Unlock()
	if err == nil && r.job.Kind == history.Sign {
		r.user.mu.Lock()
		r.user.ends = append(r.user.ends, r.job.Ended)
		r.user.mu.Unlock()
	}
	return err
}

// load is what users ask all the while.
type load struct {
	*user
	stop    context.CancelFunc
	running sync.WaitGroup
}

// The load in jobs a second, and of how many items one in ten is. It is light: what is
// tried is whether it ends well, and not how fast.
const (
	signEvery   = 200 * time.Millisecond
	keygenEvery = 2 * time.Second
	bulk        = 20
	firstKeys   = 5   // of each chain, before the first fault
	underWay    = 200 // jobs of a kind; a client may have 256
)

// startLoad generates keys and has the client ask until stopLoad.
func (s *Stand) startLoad() *load {
	s.t.Helper()
	u := s.newUser("client.toml")
	for _, chain := range chains {
		s.must(u.keygen(s.t.Context(), chain, firstKeys))
	}
	return s.loadOf(u)
}

// loadOf has a user who has keys ask until stopLoad.
func (s *Stand) loadOf(u *user) *load {
	l := &load{user: u}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(s.t.Context())
	s.t.Cleanup(func() { l.stop(); l.running.Wait() })
	l.every(ctx, signEvery, func(i int) {
		n := 1
		if i%10 == 9 {
			n = bulk
		}
		_ = l.sign(ctx, chains[i%2], n) // it is in the history
	})
	l.every(ctx, keygenEvery, func(i int) { _ = l.keygen(ctx, chains[i%2], 3) })
	return l
}

// every starts a job each so often, whether earlier ones have ended or not.
func (l *load) every(ctx context.Context, pause time.Duration, ask func(i int)) {
	l.running.Go(func() {
		permits := make(chan struct{}, underWay)
		ticks := time.NewTicker(pause)
		defer ticks.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
			}
			select {
			case permits <- struct{}{}:
			default:
				continue
			}
			l.running.Go(func() {
				defer func() { <-permits }()
				ask(i)
			})
		}
	})
}

// stopLoad asks nothing more, and waits for every answer that the fleet owes.
func (l *load) stopLoad() {
	l.s.t.Helper()
	l.stop()
	ended := make(chan struct{})
	go func() { l.running.Wait(); close(ended) }()
	deadline := time.After(patience)
	for {
		select {
		case <-ended:
			return
		case <-deadline:
			l.s.Event("jobs are still open %s after the last fault", patience)
			return
		case <-time.After(100 * time.Millisecond):
			l.s.mu.Lock()
			lost, owed := len(l.s.seen.Losses) > 0, l.s.seen.Owed()
			l.s.mu.Unlock()
			if lost && owed == 0 {
				return
			}
		}
	}
}

// probe wants a signature that is asked for now. It is how a run knows that the fleet
// serves again. Until then a request may be refused: while the servers elect a leader,
// nobody stores a job.
func (l *load) probe() {
	l.s.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(l.s.t.Context(), patience)
	defer cancel()
	for {
		err := l.signWith(ctx, l.some(chains[0], 1), ctx)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			l.s.t.Fatalf("no signature within %s after everything was whole again: %v", patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	l.s.Event("signs again after %.1f s", time.Since(start).Seconds())
}
