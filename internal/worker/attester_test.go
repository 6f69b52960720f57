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
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

var errDevice = errors.New("device says no")

// fakeAttester is an attester over a fake provider.
func fakeAttester(t *testing.T) (*wire.Manifest, *attester, *machinetest.Provider) {
	p := &machinetest.Provider{Provider: machinetest.NewProvider(t)}
	m := machinetest.Manifest(t, Card, 1, p)
	return m, newAttester(m, p.Sign, nil), p
}

// attestKey has a session key attested and checks the attestation as any
// node would: by opening a message under the key.
func attestKey(t *testing.T, m *wire.Manifest, a *attester) error {
	key, err := wire.NewSessionKey(rand.Reader, 0, time.Now())
	if err != nil {
		t.Error(err)
		return nil
	}
	att, err := a.Sign(t.Context(), key.Leaf(m))
	if err != nil {
		return err
	}
	key.Delegate(att)
	slot := wire.Slot{Kind: wire.SlotDeal, ID: "0123456789abcdef0123456789abcdef"}
	msg := wire.LogMessage{Subject: slot.String(), Time: time.Now(), Data: key.Seal(m, slot.String(), []byte("body"))}
	access, err := wire.NewAccess(nil, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	node := protocol.NewNode(protocol.NodeConfig{Manifest: m, Access: access})
	if v := node.Judge(slot, msg, []byte("body")); v != wire.Mine {
		t.Errorf("a message under an attested key is judged %d, want %d", v, wire.Mine)
	}
	return nil
}

// TestAttestations: leaves that share a call are each attested.
func TestAttestations(t *testing.T) {
	m, a, p := fakeAttester(t)
	synctest.Test(t, func(t *testing.T) {
		p.SetFault(func(context.Context) error { time.Sleep(time.Second); return nil })
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
		if n := p.Calls(); n != 2 {
			t.Errorf("40 leaves took %d calls, want 2", n)
		}
	})
}
