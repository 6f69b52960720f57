package awskms

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestCloseWaits: a call under way ends as if nothing had happened, and none
// begins any more.
func TestCloseWaits(t *testing.T) {
	f, o := faulty(t)
	heard := &calls{}
	o.Observe = heard.observe
	p := open(t, o)
	const latency = 100 * time.Millisecond
	f.Fault(kmstest.Sign, kmstest.Fault{Latency: latency})
	var signing sync.WaitGroup
	signing.Go(func() {
		if sig, err := p.Sign(t.Context(), [32]byte{1}); err != nil || sig == nil {
			t.Errorf("the call under way: %v", err)
		}
	})
	for f.Calls(kmstest.Sign) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	last := heard.list[len(heard.list)-1]
	if last.Operation != keyprovider.OpSign || last.Provider != "aws-kms" || last.Took < latency || last.Err != nil {
		t.Errorf("Close did not wait, or heard %+v", last)
	}
	signing.Wait()
	if err := p.Probe(t.Context()); !errors.Is(err, keyprovider.ErrClosed) {
		t.Errorf("Probe after Close: %v", err)
	}
	if _, err := p.Describe(t.Context()); !errors.Is(err, keyprovider.ErrClosed) {
		t.Errorf("Describe after Close: %v", err)
	}
}

// TestConnectionsAreKept: a hundred signatures, two at a time, need few
// connections. (More than two, as a caller that finds none idle dials, and may
// be served by another that came back meanwhile.)
func TestConnectionsAreKept(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 50 {
				if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	if n := f.Connections(); n > 20 {
		t.Errorf("%d connections", n)
	}
}
