//go:build !cgo

package pkcs11

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// errNoCgo is the answer of this build: PKCS#11 libraries are C.
var errNoCgo = &keyprovider.Error{Reason: keyprovider.Other, Provider: name, Action: "load",
	Remedy: "this program was built without cgo, and PKCS#11 libraries are C: use a release binary, " +
		"or build it with a C compiler (apt-get install gcc libc6-dev) and CGO_ENABLED=1 make build"}

// Open says what to do.
func Open(context.Context, Options) (keyprovider.Provider, error) { return nil, errNoCgo }

// Provision says what to do.
func Provision(context.Context, Options) ([]keyprovider.Fact, error) { return nil, errNoCgo }
