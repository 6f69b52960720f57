package bus

import (
	"strings"
	"testing"
)

// TestMirrorBesideKeys: a mirror never replaces a register. (That one is made and
// promoted is in test/cluster.)
func TestMirrorBesideKeys(t *testing.T) {
	b, _ := newTestBus(t)
	if err := b.Mirror(testContext(t), "main"); err == nil || !strings.Contains(err.Error(), "is no mirror") {
		t.Error(err)
	}
	if err := b.Check(testContext(t)); err != nil {
		t.Error(err)
	}
}

// TestMirrorWaits: a mirror of what can't be reached is a mirror all the same, and may
// be made any number of times.
func TestMirrorWaits(t *testing.T) {
	b, _ := newTestBus(t)
	if err := b.nc.JS.DeleteStream(testContext(t), b.names.stream(Keys)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Mirror(testContext(t), "elsewhere"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Check(testContext(t)); err == nil || !strings.Contains(err.Error(), "mirror: want none") {
		t.Errorf("a mirror passes for the register: %v", err)
	}
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(testContext(t)); err != nil {
		t.Errorf("after its promotion: %v", err)
	}
}
