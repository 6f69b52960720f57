package keystore

import (
	"slices"
	"strings"
	"testing"
)

// Refused batches are remembered over a restart, once each.
func TestRefused(t *testing.T) {
	dir, seal := t.TempDir(), [32]byte{1}
	ids := []string{strings.Repeat("a", 32), strings.Repeat("0", 32)}
	for range 2 {
		s, err := Open(dir, &seal)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := s.Refuse(id); err != nil {
				t.Fatal(err)
			}
		}
		if s.Refuse("x") == nil {
			t.Error("no id is taken")
		}
		got, err := s.Refused()
		if err != nil || !slices.Equal(got, []string{ids[1], ids[0]}) {
			t.Errorf("%v, %v", got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
