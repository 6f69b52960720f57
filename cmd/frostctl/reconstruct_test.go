package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/exit"
)

// TestReconstructKeygen: the file has the key of what is printed, and nobody else may see it.
// What it says a second time is another key.
func TestReconstructKeygen(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"a.key", "b.key"} {
		path := filepath.Join(t.TempDir(), name)
		stdout, stderr, code := call(t, "", "reconstruct", "keygen", "-o", path, "--json")
		var said struct{ Recipient, Fingerprint string }
		if err := json.Unmarshal([]byte(stdout), &said); err != nil || code != 0 {
			t.Fatalf("%s%s", stdout, stderr)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		identity, err := exit.ParseIdentity(text)
		if err != nil || identity.Recipient().String() != said.Recipient ||
			identity.Recipient().Fingerprint() != said.Fingerprint || seen[said.Recipient] {
			t.Errorf("%+v, %v", said, err)
		}
		seen[said.Recipient] = true
		if strings.Contains(stdout+stderr, "SECRET") {
			t.Error("the secret key was printed")
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := call(t, "", "reconstruct", "--key", path, "--print", path); code != exitError ||
			!strings.Contains(stderr, "chmod 600") {
			t.Errorf("a key that others read: exit code %d, %s", code, stderr)
		}
	}
}

// TestReconstructUsage: what is missing is said, and nothing is made.
func TestReconstructUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, says := range map[string]string{
		"":                                       "name the files",
		"share-0.exit":                           "takes --key",
		"--key k share-0.exit":                   "at least one of the flags in the group [out print]",
		"--key k -o x --print s":                 "none of the others can be",
		"--key k -o x --account 0h s":            "--account \"0h\": step 1: a hardened step",
		"--key k -o x --account 1/2/3/4/5/6/7 s": "--account \"1/2/3/4/5/6/7\": a path of too many steps",
		"keygen":                                 "required flag",
		"sign-solana --key k --root x -t x":      "too few or too many arguments",
	} {
		stdout, stderr, code := call(t, "", append([]string{"reconstruct"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%q: exit code %d, %q; want %q", args, code, stderr, says)
		}
	}
	if made, err := filepath.Glob("*"); err != nil || len(made) > 0 {
		t.Errorf("made %q, %v", made, err)
	}
}
