package rfc9591

import (
	"crypto/sha512"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// contextString separates FROST's hashes from others. RFC 9591, section 6.1.
const contextString = "FROST-ED25519-SHA512-v1"

func hash(domain string, parts ...[]byte) [64]byte {
	h := sha512.New()
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	var sum [64]byte
	h.Sum(sum[:0])
	return sum
}

func hashToScalar(domain string, parts ...[]byte) *Scalar {
	wide := hash(domain, parts...)
	defer clear(wide[:])
	s, err := scalar.NewFromBytesModOrderWide(wide[:])
	if err != nil {
		panic("rfc9591: 64 bytes do not reduce to a scalar: " + err.Error())
	}
	return s
}

// H1 to H5 of RFC 9591, section 6.1. H2 carries no context string, so that it
// is Ed25519's own challenge.

func h1(parts ...[]byte) *Scalar { return hashToScalar(contextString+"rho", parts...) }

func h2(parts ...[]byte) *Scalar { return hashToScalar("", parts...) }

func h3(parts ...[]byte) *Scalar { return hashToScalar(contextString+"nonce", parts...) }

func h4(parts ...[]byte) [64]byte { return hash(contextString+"msg", parts...) }

func h5(parts ...[]byte) [64]byte { return hash(contextString+"com", parts...) }
