package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNeedsNoCgo: a worker for KMS only builds without a C compiler. The one
// package with two forms, pkcs11, compiles its own tests both ways; here no
// other package needs cgo.
func TestNeedsNoCgo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{len .GoFiles}} {{len .CgoFiles}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); strings.HasPrefix(f[0], "github.com/miekg/") || f[2] != "0" || f[1] == "0" && f[0] != "unsafe" {
			t.Errorf("without cgo the program has %s", line)
		}
	}
}
