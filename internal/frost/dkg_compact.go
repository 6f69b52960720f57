package frost

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// What is kept of a deal for ever is smaller than what its receivers check: proofs are
// needed once, and a point of secp256k1 has half the size for whoever can take a root.

// HashProofs is what stands for the proofs of a deal that takes them apart.
func HashProofs(proofs []byte) [32]byte { return Hash("frostfleet/dkg/proofs/v1", proofs) }

// compressedSize is the length of a compressed point of secp256k1 in bytes.
const compressedSize = 33

// CompactPoints gives concatenated dealt points of a deal the form in which they are
// kept: 33 bytes each of secp256k1, compressed, and those of ed25519 as they are. It
// looks at lengths alone: what is off the curve stays so, or comes back as another point.
func CompactPoints(suite Suite, points []byte) ([]byte, error) {
	if !suite.Valid() || len(points)%suite.PointSize() != 0 {
		return nil, fmt.Errorf("%d bytes are no points of %v", len(points), suite)
	}
	if suite != Secp256k1TR {
		return points, nil
	}
	compact := make([]byte, 0, len(points)/vartime.PointSize*compressedSize)
	for ; len(points) > 0; points = points[vartime.PointSize:] {
		compact = append(compact, 2|points[vartime.PointSize-1]&1)
		compact = append(compact, points[:32]...)
	}
	return compact, nil
}

// ExpandPoints is the way back, which exists for points of the curve alone. It costs a
// root for each of secp256k1; those of ed25519 are not looked at.
func ExpandPoints(suite Suite, compact []byte) ([]byte, error) {
	if suite != Secp256k1TR {
		return CompactPoints(suite, compact)
	}
	if len(compact)%compressedSize != 0 {
		return nil, fmt.Errorf("%d bytes are no compressed points", len(compact))
	}
	points := make([]byte, 0, len(compact)/compressedSize*vartime.PointSize)
	for i := 0; len(compact) > 0; i, compact = i+1, compact[compressedSize:] {
		p, ok := vartime.LiftX((*[32]byte)(compact[1:]), compact[0] == 3)
		if compact[0]&^1 != 2 || !ok {
			return nil, fmt.Errorf("point %d is not a compressed point of secp256k1", i)
		}
		points = p.AppendWire(points)
	}
	return points, nil
}
