package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// TestCreate: a file is made once, with its folder, for its owner alone, by
// whoever comes first; nothing else is left behind.
func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "file")
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := Create(path, []byte("s3cret"))
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != "s3cret" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestCreateIsDurable: each folder that gets a new name is synced, and none above
// it, which the owner may not be able to read.
func TestCreateIsDurable(t *testing.T) {
	top := t.TempDir()
	a := filepath.Join(top, "a")
	b := filepath.Join(a, "b")
	for dir, want := range map[string][]string{top: {top}, a: {a, top}, b: {b, a, top}, "new/er": {"new/er", "new", "."}} {
		if got := lacking(dir); !slices.Equal(got, want) {
			t.Errorf("%s: synced %q, want %q", dir, got, want)
		}
	}
	if err := Create(filepath.Join(b, "file"), nil); err != nil {
		t.Fatal(err)
	}
	if got := lacking(b); !slices.Equal(got, []string{b}) {
		t.Errorf("synced %q", got)
	}
}

// TestCreateFollowsNoLink: whatever has the name stays, also a link that leads
// nowhere.
func TestCreateFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "file"), filepath.Join(dir, "elsewhere")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("s3cret")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("want fs.ErrExist: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}
