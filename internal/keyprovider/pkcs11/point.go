package pkcs11

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// pointTag begins what labels are hashed with.
const pointTag = "frostfleet/keyprovider/pkcs11/ecdh/point/v1"

// hashToPoint returns a point of P-256, uncompressed, of which nobody knows the
// discrete logarithm: the first x among SHA-256(tag, counter, label) that is
// on the curve, with the even y. How often it tries depends on the label, which
// is public. The cofactor is 1, so every point will do.
func hashToPoint(label []byte) []byte {
	for counter := uint32(0); ; counter++ {
		h := sha256.New()
		h.Write([]byte(pointTag))
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		h.Write(label)
		x, y := elliptic.UnmarshalCompressed(elliptic.P256(), append([]byte{2}, h.Sum(nil)...))
		if x == nil { // no such point: every second time
			continue
		}
		return slices.Concat([]byte{4}, x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32)))
	}
}
