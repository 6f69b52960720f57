package wire

import "fmt"

// Card is what frost-worker enroll prints: a node's entry of the manifest, and
// the fleet that the node's operator enrolled it for. A manifest is made of the
// cards of all nodes, which must agree about the fleet.
type Card struct {
	Version int    `json:"version"` // CardVersion
	Fleet   string `json:"fleet"`
	Network string `json:"network"`
	N       int    `json:"n"`
	T       int    `json:"t"`
	Epoch   int    `json:"epoch"`
	NodeCard
}

// CardVersion is the version of cards that this program writes and reads.
const CardVersion = 1

const maxCard = 4 << 10 // bytes; a card has some 350

// ParseCard reads a card's JSON strictly. Whether its keys are good, the
// manifest judges.
func ParseCard(data []byte) (Card, error) {
	var c Card
	if len(data) > maxCard {
		return c, fmt.Errorf("card: %d bytes is over the limit of %d", len(data), maxCard)
	}
	if err := strictJSON(data, &c); err != nil {
		return Card{}, fmt.Errorf("not a card of frost-worker enroll: %w", err)
	}
	if c.Version != CardVersion {
		return Card{}, fmt.Errorf("card of version %d, this program reads version %d: enroll the node again (frost-worker enroll)",
			c.Version, CardVersion)
	}
	if c.Index < 0 || c.Index >= MaxNodes || len(c.Identity) == 0 || len(c.Encryption) == 0 {
		return Card{}, fmt.Errorf("card: need index (0 to %d), identity and encryption, as frost-worker enroll prints them", MaxNodes-1)
	}
	return c, nil
}
