// Package backends lists the kinds of key provider that this program has. It is
// apart from package keyprovider, so that users of the contract alone don't
// link the AWS SDK and a PKCS#11 binding.
package backends

import (
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
)

// All returns every back end. Another one is one more line.
func All() []keyprovider.Backend {
	return []keyprovider.Backend{
		software.Backend(),
		awskms.Backend(),
		pkcs11.Backend(),
	}
}
