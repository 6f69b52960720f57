package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// sessions keeps the node's session key fresh: the HSM vouches for a new one
// when half the life of the last is over.
type sessions struct {
	manifest *protocol.Manifest
	index    int
	attester *attester

	mu      sync.RWMutex
	current *protocol.SessionKey
}

func (s *sessions) renew(ctx context.Context) error {
	key, err := protocol.NewSessionKey(rand.Reader, s.index, time.Now())
	if err != nil {
		return err
	}
	att, err := s.attester.attest(ctx, key.Leaf(s.manifest))
	if err != nil {
		return err
	}
	key.Delegate(att)
	s.mu.Lock()
	s.current = key
	s.mu.Unlock()
	return nil
}

// due reports whether it is time to renew.
func (s *sessions) due(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current.NotAfter().Sub(now) < protocol.DelegationLife/2
}

// valid reports whether the node can still speak.
func (s *sessions) valid(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current != nil && now.Before(s.current.NotAfter())
}

func (s *sessions) seal(subject string, body []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current.Seal(s.manifest, subject, body)
}
