package softhsm

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func show(t *testing.T, h *HSM) string {
	t.Helper()
	cmd := exec.Command("softhsm2-util", "--show-slots")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, h.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestTokens follows a token through its life, as a child process sees it.
func TestTokens(t *testing.T) {
	h := New(t)
	if New(t) != h {
		t.Fatal("one process has two HSMs")
	}
	if os.Getenv("SOFTHSM2_CONF") != h.conf() {
		t.Fatal("SOFTHSM2_CONF is not set for the process")
	}
	a, b := h.Token(t, "token-a"), h.Token(t, "token-b")
	if a.Slot == b.Slot || a.Serial == b.Serial || a.PIN == b.PIN || len(a.PIN) != 12 {
		t.Fatalf("two tokens are not two: %+v %+v", a, b)
	}
	restore := h.Backup(t, a)
	h.Delete(t, "token-a")
	if out := show(t, h); strings.Contains(out, "token-a") || !strings.Contains(out, "token-b") {
		t.Fatalf("after deleting token-a: %s", out)
	}
	restore()
	if out := show(t, h); !strings.Contains(out, "token-a") || !strings.Contains(out, a.Serial) {
		t.Fatalf("after restoring token-a: %s", out)
	}
}

// TestFolderEnds: the folder goes with the last test and comes back with the
// next, at the same path.
func TestFolderEnds(t *testing.T) {
	var h *HSM
	t.Run("first", func(t *testing.T) { h = New(t); h.Token(t, "one") })
	if _, err := os.Stat(h.dir); !os.IsNotExist(err) {
		t.Fatalf("the folder is still there: %v", err)
	}
	t.Run("second", func(t *testing.T) {
		if New(t) != h {
			t.Fatal("another HSM")
		}
		if out := show(t, h); strings.Contains(out, "Label:            one") {
			t.Fatal("a token outlived its test")
		}
	})
}
