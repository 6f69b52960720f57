package oracle

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPanicBecomesError(t *testing.T) {
	err := locked(func() error { panic("with a secret in it") })
	if err == nil || strings.Contains(err.Error(), "secret in it") {
		t.Fatalf("got %v", err)
	}
	var nothing map[string]int
	err = locked(func() error { nothing["x"] = 1; return nil })
	if err == nil || !strings.Contains(err.Error(), "nil map") {
		t.Fatalf("got %v", err)
	}
	if err := locked(func() error { return nil }); err != nil {
		t.Fatalf("the lock is not free, or remembers: %v", err)
	}
}

// TestSignIsForTests: no program gives a secret to the library.
func TestSignIsForTests(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(b)
		if !strings.Contains(path, filepath.Join("internal", "frost", "oracle")) &&
			strings.Contains(text, `internal/frost/oracle"`) && strings.Contains(text, ".Sign(") {
			t.Errorf("%s signs, and imports the oracle", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
