package awskms

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

func TestSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "storage", "derivation.secret")
	_, err := openSecret(path, false)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "put the file back") {
		t.Fatalf("a node of the manifest without its secret: %v", err)
	}
	first, err := openSecret(path, true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Fatalf("%v, %v", info, err)
	}
	if bytes.Equal(first.Expose(), make([]byte, 32)) {
		t.Fatal("secret is zero")
	}
	for _, mayMake := range []bool{false, true} {
		again, err := openSecret(path, mayMake)
		if err != nil || !bytes.Equal(first.Expose(), again.Expose()) {
			t.Fatalf("another secret, %v", err)
		}
	}
	other, err := openSecret(path+"2", true)
	if err != nil || bytes.Equal(first.Expose(), other.Expose()) {
		t.Fatalf("two files, one secret, %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 2 {
		t.Fatalf("%v, %v", left, err)
	}
}

// TestSecretIsMadeByMany: who enrols and tests at the same time gets one
// secret, and never half of it.
func TestSecretIsMadeByMany(t *testing.T) {
	for range 50 {
		path := filepath.Join(t.TempDir(), "storage", "derivation.secret")
		var secrets [4]*secret.Bytes
		var all sync.WaitGroup
		for i := range secrets {
			all.Go(func() {
				var err error
				if secrets[i], err = openSecret(path, true); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, s := range secrets {
			if !t.Failed() && !bytes.Equal(s.Expose(), secrets[0].Expose()) {
				t.Error("two secrets")
			}
		}
	}
}

func TestSecretIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n int, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte{'S'}, n), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct{ path, want string }{
		"group": {write("group", 32, 0o640), "chmod 600"},
		"world": {write("world", 32, 0o604), "chmod 600"},
		"write": {write("write", 32, 0o620), "chmod 600"},
		"empty": {write("empty", 0, 0o600), "has 0 bytes, not 32"},
		"short": {write("short", 31, 0o600), "has 31 bytes, not 32"},
		"long":  {write("long", 33, 0o600), "has 33 bytes, not 32"},
		"dir":   {dir, "not a regular file"},
		"below": {filepath.Join(write("file", 32, 0o600), "x"), "not a directory"},
	}
	for name, c := range tests {
		before, _ := os.ReadFile(c.path)
		s, err := openSecret(c.path, true)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SSS") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openSecret(pipe, true) // who opens it waits for ever
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("pipe: %v", err)
	}
	if s, err := openSecret(write("read only", 32, 0o400), false); err != nil || len(s.Expose()) != 32 {
		t.Errorf("mode 0400: %v", err)
	}
}
