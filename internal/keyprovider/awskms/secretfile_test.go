package awskms

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestDeriveIsHMAC pins the function with case 2 of RFC 4231.
func TestDeriveIsHMAC(t *testing.T) {
	got := deriveFrom(secret.New([]byte("Jefe")), []byte("what do ya want for nothing?"))
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if hex.EncodeToString(got[:]) != want {
		t.Fatalf("gave %x, want %s", got, want)
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "storage", "derivation.secret")
	if _, err := openSecret(path, true); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "put the file back") {
		t.Fatalf("a node of the manifest without its secret: %v", err)
	}
	first, err := openSecret(path, false)
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
	for _, enrolled := range []bool{false, true} {
		again, err := openSecret(path, enrolled)
		if err != nil || !bytes.Equal(first.Expose(), again.Expose()) {
			t.Fatalf("another secret, %v", err)
		}
	}
	if err := makeSecret(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("made twice: %v", err)
	}
	other, err := openSecret(path+"2", false)
	if err != nil || bytes.Equal(first.Expose(), other.Expose()) {
		t.Fatalf("two files, one secret, %v", err)
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
		if s, err := openSecret(c.path, false); err == nil || s != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SSS") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if s, err := openSecret(write("read only", 32, 0o400), true); err != nil || len(s.Expose()) != 32 {
		t.Errorf("mode 0400: %v", err)
	}
}
