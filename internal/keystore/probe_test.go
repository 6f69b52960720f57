package keystore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// TestProbe: a probe leaves the store as it was, and the room that it took is
// there for batches.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	one, two := sample(1, 3, 2, 100, frost.Secp256k1TR), sample(2, 3, 2, 100, frost.Secp256k1TR)
	if err := s.PutRecovered(one); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Probe(); err != nil {
			t.Fatal(err)
		}
	}
	size := fileSize(t, dir)
	if size < probeSize {
		t.Errorf("the file has %d bytes after a probe of %d", size, probeSize)
	}
	if err := s.PutRecovered(two); err != nil {
		t.Fatal(err)
	}
	if again := fileSize(t, dir); again != size {
		t.Errorf("a batch made the file grow from %d to %d bytes beside what the probe left", size, again)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir) // verifies every page
	check(t, s, one, true)
	check(t, s, two, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(); err == nil {
		t.Error("a closed store has room")
	}
}

func fileSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
