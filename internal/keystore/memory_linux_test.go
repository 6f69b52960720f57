package keystore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// mapped is how much of a file is in this process's memory, in bytes.
func mapped(t testing.TB, path string) (sum int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside, maps := false, 0
	for line := range strings.Lines(string(text)) {
		var kib int64
		switch first := strings.Fields(line)[0]; {
		case !strings.HasSuffix(first, ":"): // the head of a map
			if inside = strings.Contains(line, path); inside {
				maps++
			}
		case inside && first == "Rss:":
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &kib); err != nil {
				t.Fatal(err)
			}
			sum += kib << 10
		}
	}
	if maps == 0 {
		t.Fatalf("%s is not mapped", path)
	}
	return sum
}

// However much is written and read, little of the file stays in the process's
// memory, and what is given back reads as before.
func TestMemoryIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const batches, k = 60, 200
	for i := range batches {
		r := sample(i, 3, 2, k, frost.Secp256k1TR)
		for j := range r.Deals {
			r.Deals[j] = stream(300<<10, "large deal", i, j)
		}
		if err := s.PutRecovered(r); err != nil {
			t.Fatal(err)
		}
	}
	most := int64(0)
	path := filepath.Join(dir, FileName)
	for round := range 3 {
		for i := range batches {
			key, err := s.Key(batchID(i), (i+round)%k)
			if err != nil {
				t.Fatal(err)
			}
			key.Share.Wipe()
			if _, err := s.Deals(Ref{Batch: batchID(i)}); err != nil {
				t.Fatal(err)
			}
			most = max(most, mapped(t, path))
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 50<<20 {
		t.Fatalf("the file has only %d bytes", info.Size())
	}
	if most > 2*touchedAtMost {
		t.Errorf("%d bytes of a file of %d are in memory", most, info.Size())
	}
	check(t, s, func() *Record {
		r := sample(7, 3, 2, k, frost.Secp256k1TR)
		for j := range r.Deals {
			r.Deals[j] = stream(300<<10, "large deal", 7, j)
		}
		return r
	}(), true)
}
