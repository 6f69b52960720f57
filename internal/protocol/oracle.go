package protocol

import "github.com/frostfleet/frostfleet/internal/frost"

// Oracle has another implementation look at a sample of what this program makes for ed25519, later
// and in the background, and says whether it must stop. Its methods are called from computations.
type Oracle interface {
	// Shares is offered what the node index is about to publish.
	Shares(form frost.Form, items []frost.Item, set []frost.NonceCommitment, index int, shares []byte)
	// Signatures is offered what the gateway made of shares, in the order of the set.
	Signatures(form frost.Form, items []frost.Item, set []frost.NonceCommitment, shares [][]byte, sigs []frost.Signature)
	// Stopped returns why nothing may be signed with ed25519 any more; nil while nothing is against it.
	Stopped() error
}

// noOracle checks nothing.
type noOracle struct{}

func (noOracle) Shares(frost.Form, []frost.Item, []frost.NonceCommitment, int, []byte) {}

func (noOracle) Signatures(frost.Form, []frost.Item, []frost.NonceCommitment, [][]byte, []frost.Signature) {
}

func (noOracle) Stopped() error { return nil }

// stoppedFor returns why a suite may sign nothing here.
func stoppedFor(o Oracle, suite frost.Suite) error {
	if suite != frost.Ed25519 {
		return nil
	}
	return o.Stopped()
}
