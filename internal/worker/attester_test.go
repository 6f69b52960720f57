package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

var errDevice = errors.New("device says no")

// fakeAttester is an attester over a fake provider.
func fakeAttester(t *testing.T) (*protocol.Manifest, *attester, *fakeProvider) {
	p := &fakeProvider{Provider: newProvider(t)}
	m := newManifest(t, 1, p)
	return m, newAttester(m, p.Sign, nil), p
}

// attestKey has a session key attested and checks the attestation as any
// node would: by opening a message under the key.
func attestKey(t *testing.T, m *protocol.Manifest, a *attester) error {
	key, err := protocol.NewSessionKey(rand.Reader, 0, time.Now())
	if err != nil {
		t.Error(err)
		return nil
	}
	att, err := a.Sign(t.Context(), key.Leaf(m))
	if err != nil {
		return err
	}
	key.Delegate(att)
	slot := protocol.Slot{Kind: protocol.SlotDeal, ID: "0123456789abcdef0123456789abcdef"}
	msg := protocol.LogMessage{Subject: slot.String(), Time: time.Now(), Data: key.Seal(m, slot.String(), []byte("body"))}
	access, err := protocol.NewAccess(nil, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	node := protocol.NewNode(protocol.NodeConfig{Manifest: m, Access: access})
	if v := node.Judge(slot, msg, []byte("body")); v != protocol.Mine {
		t.Errorf("a message under an attested key is judged %d, want %d", v, protocol.Mine)
	}
	return nil
}

// TestAttestations: leaves that share a call are each attested.
func TestAttestations(t *testing.T) {
	m, a, p := fakeAttester(t)
	synctest.Test(t, func(t *testing.T) {
		p.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				if err := attestKey(t, m, a); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // the first is on its way before the second comes
		}
		all.Wait()
		if n := p.count(); n != 2 {
			t.Errorf("40 leaves took %d calls, want 2", n)
		}
	})
}
