//go:build cgo

package pkcs11

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// nonsense is a library whose answers make the binding panic, as C.GoBytes
// does with a length below zero.
type nonsense struct {
	*faulty
	now atomic.Bool
}

func (n *nonsense) load(string) (api, error) { return n, nil }

func (n *nonsense) panics() {
	if n.now.Load() {
		panic("a secret")
	}
}

func (n *nonsense) Sign(s p11.SessionHandle, m []byte) ([]byte, error) {
	n.panics()
	return n.faulty.Sign(s, m)
}

func (n *nonsense) GetSlotList(present bool) ([]uint, error) {
	n.panics()
	return n.faulty.GetSlotList(present)
}

// TestPanic: a panic is an error to the caller and the observer, and costs no
// more than the connection.
func TestPanic(t *testing.T) {
	f, _, o := pinned(t)
	heard := &calls{}
	o.Observe, o.Sessions = heard.observe, 1
	n := &nonsense{faulty: f}
	p := mustOpenWith(t, o, n.load)
	mustWork(t, p)
	n.now.Store(true)
	for range 2 { // in a call, and while connecting
		err := trySign(t.Context(), p)
		wants(t, err, keyprovider.Other, "panic")
		if strings.Contains(err.Error(), "secret") {
			t.Fatal(err)
		}
	}
	if heard.count(keyprovider.OpSign, keyprovider.Other) != 1 {
		t.Error("the observer was not told")
	}
	n.now.Store(false)
	eventually(t, "it works again", func() error { return trySign(t.Context(), p) })
	if n := f.openSessions(); n != 1 {
		t.Errorf("%d sessions are open", n)
	}
	mustClose(t, p)
}

// panicky panics in the midst of making a connection.
type panicky struct {
	*faulty
	now atomic.Bool
}

func (l *panicky) load(string) (api, error) { return l, nil }

func (l *panicky) FindObjectsInit(s p11.SessionHandle, a []*p11.Attribute) error {
	if l.now.Load() {
		panic("nonsense")
	}
	return l.faulty.FindObjectsInit(s, a)
}

// TestPanicWhileConnecting leaves no session behind.
func TestPanicWhileConnecting(t *testing.T) {
	f, _, o := pinned(t)
	l := &panicky{faulty: f}
	p := mustOpenWith(t, o, l.load)
	mustWork(t, p)
	l.now.Store(true)
	f.failOnce("C_Sign", p11.CKR_DEVICE_REMOVED)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	for range 3 {
		wants(t, trySign(t.Context(), p), keyprovider.Other, "panic")
		time.Sleep(dialPause)
	}
	if n := f.openSessions(); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
	l.now.Store(false)
	eventually(t, "it works again", func() error { return trySign(t.Context(), p) })
}
