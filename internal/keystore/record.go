package keystore

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Bounds of what is stored, beside frost.MaxNodes. They are wider than what the protocol sends.
const (
	maxKeys      = 1000     // keys in a batch
	maxOwner     = 256      // bytes
	maxDeal      = 4 << 20  // bytes, NATS' max_payload
	maxCert      = 64 << 10 // bytes
	maxCursor    = 1 << 10  // bytes, encoded
	maxHeader    = 1 << 10  // bytes, encoded
	batchIDChars = 32
)

// Record is one batch.
type Record struct {
	Batch      string   // 32 lower-case hexadecimal characters
	Context    [32]byte // ctx of the key generation
	Transcript [32]byte // hash of the raw deals, as certified
	Suite      uint8    // frost.Suite
	N, T, K    int      // nodes, threshold, keys in the batch
	Index      int      // this node
	Owner      string   // the client that the keys belong to

	Deals       [][]byte      // N raw deals in index order: the node's copy of the log
	PublicKeys  [][]byte      // K encoded public keys
	Commitments []byte        // K*T wire points, summed over the dealers
	Shares      *secret.Bytes // K*32 bytes

	Cert         []byte   // this node's certificate, once made
	Complete     bool     // N certificates were seen
	Certificates [][]byte // the N certificates, once complete
}

// Key is what the node has of one key: the fields of frost.Key, and whom the
// key belongs to. A key whose batch is not Complete must not sign.
type Key struct {
	Suite       frost.Suite
	N, T, Index int
	PublicKey   []byte
	Commitments []byte        // T wire points
	Share       *secret.Bytes // 32 bytes, the caller's to wipe
	Owner       string
	Transcript  [32]byte // as in Record
	Complete    bool
}

// validate checks every length against every other, so that what is stored
// can be cut by arithmetic alone.
func (r *Record) validate() error {
	if err := r.header().validate(); err != nil {
		return err
	}
	h := r.header()
	if len(r.Deals) != r.N {
		return fmt.Errorf("batch %s: %d deals for %d nodes", r.Batch, len(r.Deals), r.N)
	}
	for i, d := range r.Deals {
		if len(d) < 1 || len(d) > maxDeal {
			return fmt.Errorf("batch %s: deal %d has %d bytes", r.Batch, i, len(d))
		}
	}
	if len(r.PublicKeys) != r.K {
		return fmt.Errorf("batch %s: %d public keys for %d keys", r.Batch, len(r.PublicKeys), r.K)
	}
	for i, key := range r.PublicKeys {
		if len(key) != h.suite().PublicKeySize() {
			return fmt.Errorf("batch %s: public key %d has %d bytes", r.Batch, i, len(key))
		}
	}
	if want := r.K * h.commitmentsSize(); len(r.Commitments) != want {
		return fmt.Errorf("batch %s: commitments have %d bytes, not %d", r.Batch, len(r.Commitments), want)
	}
	if want := r.K * frost.ScalarSize; len(r.Shares.Expose()) != want {
		return fmt.Errorf("batch %s: shares have %d bytes, not %d", r.Batch, len(r.Shares.Expose()), want)
	}
	if len(r.Cert) > maxCert {
		return fmt.Errorf("batch %s: certificate has %d bytes", r.Batch, len(r.Cert))
	}
	return nil
}

func (r *Record) header() *header {
	return &header{
		Batch: r.Batch, Context: r.Context, Transcript: r.Transcript, Suite: r.Suite,
		N: r.N, T: r.T, K: r.K, Index: r.Index, Owner: r.Owner,
	}
}

func (h *header) record() *Record {
	return &Record{
		Batch: h.Batch, Context: h.Context, Transcript: h.Transcript, Suite: h.Suite,
		N: h.N, T: h.T, K: h.K, Index: h.Index, Owner: h.Owner,
	}
}

func validateCertificates(batch string, n int, certs [][]byte) error {
	if len(certs) != n {
		return fmt.Errorf("batch %s: %d certificates for %d nodes", batch, len(certs), n)
	}
	for i, c := range certs {
		if len(c) < 1 || len(c) > maxCert {
			return fmt.Errorf("batch %s: certificate %d has %d bytes", batch, i, len(c))
		}
	}
	return nil
}

func validBatchID(batch string) bool {
	if len(batch) != batchIDChars {
		return false
	}
	for _, c := range []byte(batch) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (h *header) validate() error {
	switch {
	case !validBatchID(h.Batch):
		return errors.New("batch id is not 32 lower-case hexadecimal characters")
	case !h.suite().Valid():
		return fmt.Errorf("batch %s: unknown suite %d", h.Batch, h.Suite)
	case h.T < 1 || h.T > h.N || h.N > frost.MaxNodes:
		return fmt.Errorf("batch %s: threshold %d of %d nodes", h.Batch, h.T, h.N)
	case h.K < 1 || h.K > maxKeys:
		return fmt.Errorf("batch %s: %d keys, outside 1 to %d", h.Batch, h.K, maxKeys)
	case h.Index < 0 || h.Index >= h.N:
		return fmt.Errorf("batch %s: node %d of %d", h.Batch, h.Index, h.N)
	case len(h.Owner) > maxOwner || !utf8.ValidString(h.Owner):
		return fmt.Errorf("batch %s: owner is longer than %d bytes or not UTF-8", h.Batch, maxOwner)
	}
	return nil
}
