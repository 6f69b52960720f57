package config

import (
	"crypto/ed25519"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// AccessAdministrator is one [[administrator]]: who may freeze alone, and unfreeze with
// others.
type AccessAdministrator struct {
	Name      string    `toml:"name"`
	PublicKey PublicKey `toml:"public_key"`
}

// AccessFreeze is [freeze].
type AccessFreeze struct {
	// UnfreezeQuorum is how many administrators unfreeze; without it a majority.
	UnfreezeQuorum int `toml:"unfreeze_quorum"`
}

// checkAdministrators checks who may freeze. keys are those of all others in the list.
func (a *Access) checkAdministrators(s *source, keys map[string]string) {
	names := map[string]bool{}
	for i, one := range a.Administrators {
		s.party(fmt.Sprintf("administrator[%d]", i), "administrator "+one.Name, one.Name,
			AccessKeys{PublicKey: one.PublicKey}, names, keys)
	}
	if n := len(a.Administrators); n > wire.MaxAdministrators {
		s.Fail("administrator", "has %d entries: a fleet has at most %d", n, wire.MaxAdministrators)
	}
	const quorum = "freeze.unfreeze_quorum"
	switch n := len(a.Administrators); {
	case !s.Has(quorum):
	case n == 0:
		s.Fail(quorum, "is set, and there is no [[administrator]] to unfreeze anything")
	default:
		s.Between(quorum, a.Freeze.UnfreezeQuorum, 1, n)
	}
}

func (a *Access) withAdministrators(list *wire.Access) (*wire.Access, error) {
	var all []wire.Administrator
	for _, one := range a.Administrators {
		all = append(all, wire.Administrator{Name: one.Name, Key: ed25519.PublicKey(one.PublicKey)})
	}
	return list.WithAdministrators(all, a.Freeze.UnfreezeQuorum)
}
