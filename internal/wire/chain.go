package wire

import (
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Chain is what a client names when it asks for keys.
type Chain struct {
	Name  string      // in jobs, results and commands
	Suite frost.Suite // of its keys
	About string      // for help texts
}

// The chains' names.
const (
	Bitcoin = "bitcoin"
	Solana  = "solana"
)

// Chains are all chains. Everything that lists them reads this table; a new one is
// a row here, an address in internal/chain, the enums of nats/schemas, and docs.
var Chains = []Chain{
	{Bitcoin, frost.Secp256k1TR, "Taproot, BIP 86"},
	{Solana, frost.Ed25519, "Ed25519"},
}

// ChainSuite is the suite of a chain's keys.
func ChainSuite(name string) (frost.Suite, bool) {
	i := slices.IndexFunc(Chains, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		return 0, false
	}
	return Chains[i].Suite, true
}

// ChainNames are the names of all chains, in the table's order.
func ChainNames() []string {
	names := make([]string, len(Chains))
	for i, c := range Chains {
		names[i] = c.Name
	}
	return names
}

// AboutChains lists the chains for a help text: "bitcoin (Taproot, BIP 86) or ...".
func AboutChains() string {
	about := make([]string, len(Chains))
	for i, c := range Chains {
		about[i] = c.Name + " (" + c.About + ")"
	}
	return Or(about)
}

// Or joins words for a sentence: "a", "a or b", "a, b or c".
func Or[T ~string](words []T) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	if last := len(list) - 1; last > 0 {
		return strings.Join(list[:last], ", ") + " or " + list[last]
	}
	return strings.Join(list, "")
}

// KindNames are the names of all kinds, in the table's order.
func KindNames() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return names
}
