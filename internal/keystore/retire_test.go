package keystore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
)

var retirement = Retirement{
	Manifest: strings.Repeat("a1", 32), Successor: strings.Repeat("b2", 32), Time: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC),
}

// A storage that was retired has no shares, and every later start says where they are.
func TestRetire(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := sample(1, 3, 2, 4, frost.Secp256k1TR)
	if err := s.PutRecovered(r); err != nil {
		t.Fatal(err)
	}
	if err := Retire(dir, retirement); !errors.Is(err, ErrLocked) {
		t.Fatalf("beside a running worker: %v", err)
	}
	signsWith(t, s, r, true) // and nothing was touched
	if was, err := Retired(dir); was != nil || err != nil {
		t.Fatalf("%+v, %v", was, err)
	}
	_ = s.Close()

	path := filepath.Join(dir, FileName)
	still, err := os.Open(path) // as undelete finds it
	if err != nil {
		t.Fatal(err)
	}
	defer still.Close()
	before := image(t, dir)
	for range 2 { // the second time there is nothing left to do
		if err := Retire(dir, retirement); err != nil {
			t.Fatal(err)
		}
	}
	after := make([]byte, len(before))
	if _, err := still.ReadAt(after, 0); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(after, r.PublicKeys[0]) || bytes.Equal(after[:100], make([]byte, 100)) {
		t.Error("what was in the file is still there")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	_, errOpen := Open(dir, &testSeal)
	for _, err := range []error{errOpen, Copies(dir, func(*Copy) error { return nil })} {
		if !errors.Is(err, ErrRetired) {
			t.Fatal(err)
		}
		for _, want := range []string{dir, retirement.Manifest, retirement.Successor, "2026-05-06T07:08:09Z"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	}
	if was, err := Retired(dir); err != nil || was.Successor != retirement.Successor || !was.Time.Equal(retirement.Time) {
		t.Errorf("%+v, %v", was, err)
	}
}

// However far it came before it was killed, the storage signs no more, and the next one ends
// it. What the first one said stays.
func TestRetireGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.PutRecovered(sample(1, 3, 2, 4, frost.Secp256k1TR)); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if err := tombstone(dir, retirement); err != nil { // and then it was killed
		t.Fatal(err)
	}
	if _, err := Open(dir, &testSeal); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
	later := retirement
	later.Time = later.Time.Add(time.Hour)
	if err := Retire(dir, later); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	if was, err := Retired(dir); err != nil || !was.Time.Equal(retirement.Time) {
		t.Errorf("%+v, %v", was, err)
	}
}

// A note that can't be read is no leave to make an empty keystore in its place.
func TestRetiredDamaged(t *testing.T) {
	for name, data := range map[string]string{
		"cut": `{"version": 1, "man`, "empty": "", "a later format": `{"version": 2}`, "long": strings.Repeat(" ", maxRetirement+1),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, RetiredFile), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, &testSeal); !errors.Is(err, ErrRetired) || !strings.Contains(err.Error(), RetiredFile) {
			t.Errorf("%s: %v", name, err)
		}
		if err := Retire(dir, retirement); err == nil {
			t.Errorf("%s: retired", name)
		}
	}
}
