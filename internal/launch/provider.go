package launch

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
)

// LoadNode reads a node's file, with the back ends that this program has, and the
// files that its [bus] names.
func LoadNode(path string) (*config.Node, error) { return config.LoadNode(path, backends.All()) }

// ParseNode reads a node's file alone.
func ParseNode(path string) (*config.Node, error) { return config.ParseNode(path, backends.All()) }

// ProviderOptions are what a node's file does not say about its key provider.
// All of them may be left out.
type ProviderOptions struct {
	keyprovider.Options
	// Waiting, if not nil, makes OpenProvider wait for a device that may come
	// back. It is called with the reason, at each attempt. The log has it too.
	Waiting func(error)
}

// OpenProvider opens the back end that a node's file names. It neither repeats
// calls nor caches: see keyprovider.Guard and Policy.
func OpenProvider(ctx context.Context, n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	pause := backoff.Backoff{Min: firstReopen, Max: lastReopen}
	var reason keyprovider.Reason // logged last
	for logged := (time.Time{}); ; {
		p, err := n.Node.KeyProvider.Section.Open(ctx, n.Provider(), o.Options)
		if err == nil || o.Waiting == nil || !mayReopen(err) {
			return p, err
		}
		o.Waiting(err)
		if why := keyprovider.ReasonOf(err); why != reason || time.Since(logged) >= sameAgain {
			reason, logged = why, time.Now()
			o.Log.Error("the key provider does not open; the node waits", "err", err,
				"do", "fix it; the worker retries automatically")
		}
		if ended := pause.Wait(ctx); ended != nil {
			return nil, errors.Join(ended, err)
		}
	}
}

// The pause between two attempts to open a device, doubling.
const (
	firstReopen = time.Second
	lastReopen  = 30 * time.Second
)

// sameAgain is how long a reason is not logged again.
const sameAgain = 10 * time.Minute

// mayReopen reports whether a failure may pass, or can be fixed from outside: a KMS
// or an HSM that is away, or whose key was switched off, does not end the program.
func mayReopen(err error) bool {
	reason := keyprovider.ReasonOf(err)
	return reason.Temporary() || reason.Refused()
}

// PinnedIdentity is the identity key that the node's manifest has for it; nil
// while there is no manifest, or another fleet's.
func PinnedIdentity(n *config.Node) *ecdsa.PublicKey {
	m, err := n.LoadManifest()
	if err != nil {
		return nil
	}
	return m.Identity(n.Node.Index)
}

// Provision makes the keys that a node's file names, or says how to.
func Provision(ctx context.Context, n *config.Node, o keyprovider.Options) (*keyprovider.Provisioned, error) {
	return n.Node.KeyProvider.Section.Provision(ctx, n.Provider(), o)
}

// Policy is what a node's file says about timeouts and attempts.
func Policy(n *config.Node) keyprovider.Policy {
	policy := n.Node.KeyProvider.Section.Policy()
	policy.Name = n.Node.KeyProvider.Type
	return policy
}

// requireDerivationKey ends a node that can't work, as its file names no
// derivation key, before anything else is waited for.
func requireDerivationKey(n *config.Node) error {
	return n.Node.KeyProvider.Section.CanDerive(n.Provider())
}
