package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// sessions keeps the node's session key fresh: the HSM vouches for a new one
// when half the life of the last is over. A key near its end signs nothing:
// what it sealed might be stored too late, as junk in the node's own slot.
type sessions struct {
	manifest *protocol.Manifest
	index    int
	attester *attester

	renewing atomic.Bool
	mu       sync.Mutex
	current  *protocol.SessionKey
	renewed  chan struct{} // closed at the next renewal; nil if nobody waits
}

// renew has the HSM vouch for a fresh key, unless that is under way already.
func (s *sessions) renew(ctx context.Context) error {
	if !s.renewing.CompareAndSwap(false, true) {
		return nil
	}
	defer s.renewing.Store(false)
	key, err := protocol.NewSessionKey(rand.Reader, s.index, time.Now())
	if err != nil {
		return err
	}
	att, err := s.attester.Attest(ctx, key.Leaf(s.manifest))
	if err != nil {
		return err
	}
	key.Delegate(att)
	s.use(key)
	return nil
}

func (s *sessions) use(key *protocol.SessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = key
	if s.renewed != nil {
		close(s.renewed)
		s.renewed = nil
	}
}

// drop forgets the session key: a node whose device was taken away from it says
// nothing more, not even with a key that the device vouched for before.
func (s *sessions) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// due reports whether it is time to renew.
func (s *sessions) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(now) < protocol.DelegationLife/2
}

// valid reports whether the node can still speak.
func (s *sessions) valid(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(now) > fillTime
}

// left is how long the current key is still accepted.
func (s *sessions) left(now time.Time) time.Duration {
	if s.current == nil {
		return 0
	}
	return s.current.NotAfter().Sub(now)
}

// seal signs a message, once there is a key that outlives one try to publish
// it. The error is ctx's.
func (s *sessions) seal(ctx context.Context, subject string, body []byte) ([]byte, error) {
	for {
		key, renewed := s.speaker(time.Now())
		if key != nil {
			return key.Seal(s.manifest, subject, body), nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// speaker gives the current key, or what to wait for if it is too old.
func (s *sessions) speaker(now time.Time) (*protocol.SessionKey, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left(now) > fillTime {
		return s.current, nil
	}
	if s.renewed == nil {
		s.renewed = make(chan struct{})
	}
	return nil, s.renewed
}
