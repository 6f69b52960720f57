//go:build !cgo

package pkcs11

import (
	"strings"
	"testing"
)

// TestStub runs in builds without cgo; TestWithoutCgo starts it from the
// others.
func TestStub(t *testing.T) {
	_, openErr := Open(t.Context(), Options{})
	_, provisionErr := Provision(t.Context(), Options{})
	for _, err := range []error{openErr, provisionErr} {
		if err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=1") || !strings.Contains(err.Error(), "release binary") {
			t.Fatalf("the error does not say what to do: %v", err)
		}
	}
	t.Log("the stub was tested")
}
