// Package softhsm gives tests PKCS#11 tokens that are real as far as software
// can be: those of SoftHSM2, made by its own tool.
//
// The module reads SOFTHSM2_CONF when it is initialised, so that one process
// has one folder of tokens: New gives the same one to every test and sets the
// variable for the process. SoftHSM lists its tokens when it is initialised:
// make them before a provider is opened.
package softhsm

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const missing = "SoftHSM is not installed: apt-get install softhsm2"

// where the packages of Debian, Fedora and Homebrew put the module.
var libraries = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/opt/homebrew/lib/softhsm/libsofthsm2.so",
}

// HSM is a folder of tokens.
type HSM struct{ dir, library string }

// Token is one token, as softhsm2-util made it.
type Token struct {
	Label  string
	PIN    string // of the user: 12 random digits
	SOPIN  string // of the security officer
	Slot   uint   // SoftHSM numbers it by the serial number
	Serial string
}

// one HSM in a process, and how many tests use it.
var (
	mu     sync.Mutex
	shared *HSM
	users  int
)

// New gives the process its HSM. The tokens are there until the last test
// that has it ends.
func New(t testing.TB) *HSM {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if shared == nil {
		shared = &HSM{dir: tempDir(t), library: Installed(t)}
	}
	if users == 0 {
		shared.setUp(t)
	}
	users++
	t.Cleanup(tearDown)
	return shared
}

func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "frostfleet-softhsm-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Installed gives the path of the module, for a process with Env.
func Installed(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		t.Fatal(missing)
	}
	for _, path := range libraries {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("%s (none of %s is there)", missing, strings.Join(libraries, ", "))
	return ""
}

// setUp makes the folder. After the last test it is made again at the same
// path, as a module that is still initialised knows no other.
func (h *HSM) setUp(t testing.TB) {
	t.Helper()
	if err := os.MkdirAll(h.tokens(), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(
		"directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
		h.tokens(),
	)
	if err := os.WriteFile(h.conf(), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Setenv("SOFTHSM2_CONF", h.conf()); err != nil {
		t.Fatal(err)
	}
}

func tearDown() {
	mu.Lock()
	defer mu.Unlock()
	if users--; users == 0 {
		_ = os.RemoveAll(shared.dir)
	}
}

func (h *HSM) tokens() string { return filepath.Join(h.dir, "tokens") }
func (h *HSM) conf() string   { return filepath.Join(h.dir, "softhsm2.conf") }

// Library is the path of the module.
func (h *HSM) Library() string { return h.library }

// Env is what a child process needs to see the same tokens.
func (h *HSM) Env() []string { return []string{"SOFTHSM2_CONF=" + h.conf()} }

// Token makes an initialised token without keys. Several may have one label.
func (h *HSM) Token(t testing.TB, label string) Token {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	token := Token{Label: label, PIN: digits(t), SOPIN: digits(t)}
	out := h.util(t, "--init-token", "--free", "--label", label, "--pin", token.PIN, "--so-pin", token.SOPIN)
	found := regexp.MustCompile(`slot (\d+)\s*$`).FindStringSubmatch(strings.TrimSpace(out))
	if found == nil {
		t.Fatalf("softhsm2-util --init-token does not tell the slot: %s", out)
	}
	slot, err := strconv.ParseUint(found[1], 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	token.Slot, token.Serial = uint(slot), h.serial(t, found[1])
	return token
}

// Delete deletes a token, as an operator might, from another process.
func (h *HSM) Delete(t testing.TB, label string) {
	t.Helper()
	out, err := h.run("--delete-token", "--token", label)
	// Where a process uses the token meanwhile, SoftHSM's lock file may be
	// back before its tool removes the folder: it then leaves that.
	if left := regexp.MustCompile(`Could not delete the directory: (\S+)`).FindStringSubmatch(out); left != nil {
		err = os.RemoveAll(left[1])
	}
	if err != nil {
		t.Fatalf("softhsm2-util --delete-token: %v\n%s", err, out)
	}
}

// Backup copies a token's files. The function that it gives puts them back.
func (h *HSM) Backup(t testing.TB, token Token) (restore func()) {
	t.Helper()
	live := h.folder(t, token)
	kept := filepath.Join(t.TempDir(), "token")
	if err := os.CopyFS(kept, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.CopyFS(live, os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
	}
}

// folder finds a token's files: their folder is a UUID that ends in the serial
// number.
func (h *HSM) folder(t testing.TB, token Token) string {
	t.Helper()
	entries, err := os.ReadDir(h.tokens())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(strings.ReplaceAll(e.Name(), "-", ""), token.Serial) {
			return filepath.Join(h.tokens(), e.Name())
		}
	}
	t.Fatalf("no folder of token %q with serial number %s", token.Label, token.Serial)
	return ""
}

func (h *HSM) serial(t testing.TB, slot string) string {
	t.Helper()
	out := h.util(t, "--show-slots")
	found := regexp.MustCompile(`(?s)Slot ` + slot + `\n.*?Serial number:\s+(\S+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("softhsm2-util --show-slots does not show slot %s: %s", slot, out)
	}
	return found[1]
}

func (h *HSM) util(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.run(args...)
	if err != nil {
		t.Fatalf("softhsm2-util %s: %v\n%s", args[0], err, out)
	}
	return out
}

func (h *HSM) run(args ...string) (string, error) {
	cmd := exec.Command("softhsm2-util", args...)
	cmd.Env = append(os.Environ(), h.Env()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func digits(t testing.TB) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1e12))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%012d", n)
}
