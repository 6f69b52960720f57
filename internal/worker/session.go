package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// sessions keeps the node's session key fresh: the HSM vouches for a new one
// when half the life of the last is over. A key near its end signs nothing:
// what it sealed might be stored too late, as junk in the node's own slot.
type sessions struct {
	manifest *wire.Manifest
	index    int
	attester *attester

	renewing atomic.Bool
	mu       sync.Mutex
	current  *wire.SessionKey
	renewed  chan struct{} // closed at the next renewal; nil if nobody waits
	// authorized ends when the device is refused: what was sealed or asked for
	// before must not be published or used any more.
	authorized context.Context
	revoke     context.CancelFunc
	// unleased: another process may still run as this node, so this one says nothing
	// but its heartbeats.
	unleased bool
	over     bool // another process runs as this node: no key is used any more
}

func newSessions(m *wire.Manifest, index int, a *attester) *sessions {
	s := &sessions{manifest: m, index: index, attester: a}
	s.authorized, s.revoke = context.WithCancel(context.Background())
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
	authorized := s.authorized
	s.mu.Unlock()
	key, err := wire.NewSessionKey(rand.Reader, s.index, clock.Now())
	if err != nil {
		return false, err
	}
	defer func() {
		if !renewed {
			key.Wipe()
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(authorized, cancel)()
	att, err := s.attester.Sign(ctx, key.Leaf(s.manifest))
	if authorized.Err() != nil {
		return false, errRefusedMeanwhile
	}
	if err != nil {
		return false, err
	}
	key.Delegate(att)
	err = s.use(key, authorized)
	return err == nil, err
}

var errRefusedMeanwhile = errors.New("the device vouched for a session key and was refused before its answer came")

func (s *sessions) use(key *wire.SessionKey, authorized context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if authorized.Err() != nil || s.over {
		return errRefusedMeanwhile
	}
	s.current.Wipe()
	s.current = key
	s.wake()
	return nil
}

// wake has those look again who wait for a key.
func (s *sessions) wake() {
	if s.renewed != nil {
		close(s.renewed)
		s.renewed = nil
	}
}

// lease lets the node speak: no other process runs as it.
func (s *sessions) lease() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unleased = false
	s.wake()
}

// end silences the node for ever: another process runs as it.
func (s *sessions) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.drop()
}

// drop forgets the session key: a node whose device was taken away from it says
// nothing more, not even with a key that the device vouched for before, nor
// what that key has sealed already.
func (s *sessions) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.Wipe()
	s.current = nil
	s.revoke()
	s.authorized, s.revoke = context.WithCancel(context.Background())
}

// wipe is the end: nothing is sealed any more.
func (s *sessions) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.Wipe()
	s.current = nil
}

// uses reports whether the current key is one of some kind.
func (s *sessions) uses(kind func(public []byte) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && kind(s.current.Public())
}

// public is the current key's public half in hexadecimal, as an access list would
// revoke it; empty without a key.
func (s *sessions) public() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return ""
	}
	return hex.EncodeToString(s.current.Public())
}

// silent reports whether this process must not speak for the node at all: the device
// does not vouch for it, or another process may run as it.
func (s *sessions) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == nil || s.unleased
}

// sealHeartbeat signs a heartbeat, also before the node may say anything else.
func (s *sessions) sealHeartbeat(subject string, body []byte) ([]byte, error) {
	s.mu.Lock()
	key := s.current
	s.mu.Unlock()
	if key != nil {
		if sealed := key.Seal(s.manifest, subject, body); sealed != nil {
			return sealed, nil
		}
	}
	return nil, errNoKey
}

var errNoKey = errors.New("no session key: the key provider does not sign")

// due reports whether it is time to renew.
func (s *sessions) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(now) < wire.DelegationLife/2
}

// valid reports whether the node can still speak.
func (s *sessions) valid(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(now) > fillTime
}

// left is how long the current key is still accepted. A key that was made while the
// clock was fast is not accepted yet, and is as good as none: nobody waits for it.
func (s *sessions) left(now time.Time) time.Duration {
	if s.current == nil || now.Before(s.current.NotBefore().Add(-wire.ClockSkew/2)) {
		return 0
	}
	return s.current.NotAfter().Sub(now)
}

// until returns the time until which seal uses the current key; zero without one.
func (s *sessions) until() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return time.Time{}
	}
	return s.current.NotAfter().Add(-fillTime)
}

// seal signs a message, once there is a key that outlives one try to publish
// it. The message must not be published after the end of authorized. The error is
// ctx's.
func (s *sessions) seal(ctx context.Context, subject string, body []byte) (
	sealed []byte, authorized context.Context, err error) {
	for {
		key, authorized, renewed := s.usable(clock.Now())
		if key != nil {
			if sealed := key.Seal(s.manifest, subject, body); sealed != nil {
				return sealed, authorized, nil
			}
			continue // it was replaced meanwhile
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// usable returns the current key, or what to wait for if it is too old.
func (s *sessions) usable(now time.Time) (*wire.SessionKey, context.Context, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unleased && s.left(now) > fillTime {
		return s.current, s.authorized, nil
	}
	if s.renewed == nil {
		s.renewed = make(chan struct{})
	}
	return nil, nil, s.renewed
}
