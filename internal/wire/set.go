package wire

import "github.com/frostfleet/frostfleet/internal/frost"

// SetHash names a signing set by who committed to what: the same nodes with
// other commitments are another set.
func SetHash(set []frost.NonceCommitment) [32]byte {
	var parts [][]byte
	for _, c := range set {
		parts = append(parts, Be32(c.Index), c.Points)
	}
	return frost.Hash("frostfleet/set/v1", parts...)
}
