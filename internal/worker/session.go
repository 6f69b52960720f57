package worker

import (
	"context"
	"crypto/rand"
	"errors"
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
	renewed  chan struct{}   // closed at the next renewal; nil if nobody waits
	era      context.Context // ends when the device is refused: what was sealed or asked for before counts no more
	endEra   context.CancelFunc
}

func newSessions(m *protocol.Manifest, index int, a *attester) *sessions {
	s := &sessions{manifest: m, index: index, attester: a}
	s.era, s.endEra = context.WithCancel(context.Background())
	return s
}

// renew has the HSM vouch for a fresh key, unless that is under way already. It
// waits for the device until ctx ends or the device is refused.
func (s *sessions) renew(ctx context.Context) (renewed bool, err error) {
	if !s.renewing.CompareAndSwap(false, true) {
		return false, nil
	}
	defer s.renewing.Store(false)
	s.mu.Lock()
	era := s.era
	s.mu.Unlock()
	key, err := protocol.NewSessionKey(rand.Reader, s.index, time.Now())
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(era, cancel)()
	att, err := s.attester.Sign(ctx, key.Leaf(s.manifest))
	if era.Err() != nil {
		return false, errRefusedMeanwhile
	}
	if err != nil {
		return false, err
	}
	key.Delegate(att)
	err = s.use(key, era)
	return err == nil, err
}

var errRefusedMeanwhile = errors.New("the device vouched for a session key and was refused before its answer came")

func (s *sessions) use(key *protocol.SessionKey, era context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if era.Err() != nil {
		return errRefusedMeanwhile
	}
	s.current = key
	if s.renewed != nil {
		close(s.renewed)
		s.renewed = nil
	}
	return nil
}

// drop forgets the session key: a node whose device was taken away from it says
// nothing more, not even with a key that the device vouched for before, nor
// what that key has sealed already.
func (s *sessions) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
	s.endEra()
	s.era, s.endEra = context.WithCancel(context.Background())
}

// silent reports whether there is no key at all: the device does not vouch for
// this node.
func (s *sessions) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == nil
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
// it. The message must not be published after the end of era. The error is
// ctx's.
func (s *sessions) seal(ctx context.Context, subject string, body []byte) (sealed []byte, era context.Context, err error) {
	for {
		key, era, renewed := s.speaker(time.Now())
		if key != nil {
			return key.Seal(s.manifest, subject, body), era, nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// speaker gives the current key, or what to wait for if it is too old.
func (s *sessions) speaker(now time.Time) (*protocol.SessionKey, context.Context, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left(now) > fillTime {
		return s.current, s.era, nil
	}
	if s.renewed == nil {
		s.renewed = make(chan struct{})
	}
	return nil, nil, s.renewed
}
