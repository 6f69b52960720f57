package launch

import (
	"errors"
	"testing"
)

func TestGate(t *testing.T) {
	g := waiting("key_provider", "opening")
	if err := g.Fail(); err == nil || err.Error() != "opening" {
		t.Errorf("a part that is not there gives %v", err)
	}
	g.wait("still opening")
	if err := g.Fail(); err == nil || err.Error() != "still opening" {
		t.Errorf("got %v", err)
	}
	var reason error
	g.open(func() error { return reason })
	if err := g.Fail(); err != nil {
		t.Errorf("a part that works gives %v", err)
	}
	if reason = errors.New("broken"); !errors.Is(g.Fail(), reason) {
		t.Error("the part's own reason is lost")
	}
}
