//go:build !amd64 || purego

package edwards25519

import "filippo.io/edwards25519/field"

const togetherPow = 8

// powAll sets e[i] = e[i]^((p-5)/8), of up to [togetherPow] elements.
func powAll(e []field.Element) { powEach(e) }
