package httpapi

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestApproveInPython: the approver of docs/http.md, in a language and with a digest of its own,
// makes an approval that verifies.
func TestApproveInPython(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(page), "```python\n")
	program, _, found := strings.Cut(program, "```")
	if !found || !strings.Contains(program, "/v1/approvals") {
		t.Fatal("docs/http.md has no approver in Python")
	}
	p := newPeople(t)
	p.cfg.Now = time.Now
	job := p.waitingUntil(time.Now().Add(time.Hour), "shop", p.shop, 1, aKey, "zahle an Zoë: 5 €")
	server := httptest.NewServer(p)
	defer server.Close()
	key := keyOf(5)
	file := filepath.Join(t.TempDir(), "erin.key")
	if err := os.WriteFile(file, []byte(hex.EncodeToString(key.Seed())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	python := cmp.Or(os.Getenv("FROSTFLEET_PYTHON"), "python3")
	cmd := exec.CommandContext(t.Context(), python, "-c", program, "erin", file, wire.PeekJobID(job.Payload))
	cmd.Env = append(os.Environ(), "URL="+server.URL, "TOKEN="+full)
	cmd.Stdin = strings.NewReader("yes\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s (it takes Python with the package cryptography: FROSTFLEET_PYTHON): %v\n%s", python, err, out)
	}
	if !bytes.Contains(out, []byte("Solana message")) {
		t.Errorf("it shows %s", out)
	}
	if len(p.carrier.given) != 1 || !p.carrier.given[0].Approval.Verify(publicOf(key), p.cfg.Manifest, job.Digest(p.cfg.Manifest)) {
		t.Errorf("carried %+v", p.carrier.given)
	}
}
