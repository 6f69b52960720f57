//go:build cgo

package pkcs11

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWithoutCgo: the package builds, vets and tests without cgo, which
// then says what to do.
func TestWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "test", "-count=1", "-v", "-run", "^(TestStub|TestHashToPoint|TestURIErrors)$", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the stub was tested") {
		t.Fatalf("%v\n%s", err, out)
	}
}
