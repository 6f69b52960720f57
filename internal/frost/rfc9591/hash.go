package rfc9591

import "crypto/sha512"

// contextString separates FROST's hashes from others. RFC 9591, section 6.1.
const contextString = "FROST-ED25519-SHA512-v1"

// hasher is RFC 9591's H1, H2, H4 and H5 of section 6.1 over one buffer, of public data.
type hasher struct{ list, prefix []byte }

// bindingFactors is compute_binding_factors of section 4.4. H4 is of the message, H5 of the
// encoded list of commitments, and H1 of the key, both and an identifier.
func (h *hasher) bindingFactors(s *Session) {
	h.list = append(append(h.list[:0], contextString+"msg"...), s.message...)
	message := sha512.Sum512(h.list)
	h.list = append(h.list[:0], contextString+"com"...)
	for i, id := range s.set.ids {
		b := idBytes(id)
		h.list = append(append(h.list, b[:]...), s.nonces[i].bytes[:]...)
	}
	commitments := sha512.Sum512(h.list)
	h.prefix = append(append(h.prefix[:0], contextString+"rho"...), s.key.public[:]...)
	h.prefix = append(append(h.prefix, message[:]...), commitments[:]...)
	for i, id := range s.set.ids {
		b := idBytes(id)
		wide := sha512.Sum512(append(h.prefix, b[:]...))
		reduce(&s.rho[i], &wide)
	}
}

// challenge is compute_challenge of section 4.6. H2 carries no context string, so that it
// is Ed25519's own challenge.
func (h *hasher) challenge(s *Session) {
	h.list = append(append(append(h.list[:0], s.r[:]...), s.key.public[:]...), s.message...)
	wide := sha512.Sum512(h.list)
	reduce(&s.c, &wide)
}
