package keystore

import (
	"crypto/sha256"
	"fmt"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Bounds of what is stored, beside frost.MaxNodes. They are wider than what the protocol sends.
const (
	maxKeys      = 1000    // keys in a batch
	maxOwner     = 256     // bytes
	maxDeal      = 4 << 20 // bytes, NATS' max_payload
	maxDeals     = 8 * frost.MaxNodes
	maxCert      = 64 << 10 // bytes
	maxReshare   = 8 << 10  // bytes
	maxCursor    = 1 << 10  // bytes, encoded
	maxHeader    = 1 << 10  // bytes, encoded
	batchIDChars = 32
)

// Ref names one generation of a batch.
type Ref struct {
	Batch      string // 32 lower-case hexadecimal characters
	Generation uint32 // 0: as the keys were made
}

func (r Ref) String() string {
	if r.Generation == 0 {
		return "batch " + r.Batch
	}
	return fmt.Sprintf("batch %s, generation %d", r.Batch, r.Generation)
}

// Record is one generation of a batch.
type Record struct {
	Batch      string   // 32 lower-case hexadecimal characters
	Generation uint32   // 0: as the keys were made
	Context    [32]byte // ctx of the key generation, or of the resharing
	Transcript [32]byte // hash of the raw deals, as certified
	MadeBy     [32]byte // transcript of generation 0, from which chain codes follow
	Reshare    []byte   // what a later generation came of, in the protocol's encoding; empty for generation 0
	Suite      uint8    // frost.Suite
	N, T, K    int      // nodes, threshold, keys in the batch
	Index      int      // this node
	Owner      string   // the client that the keys belong to

	Deals       [][]byte      // raw deals in the order of the entry, N of generation 0: the node's copy of the log
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
	Generation  uint32
	Transcript  [32]byte // as in Record
	MadeBy      [32]byte // as in Record
	Complete    bool
}

// validate checks every length against every other, so that what is stored
// can be cut by arithmetic alone.
func (r *Record) validate() error {
	if err := r.header().validate(); err != nil {
		return err
	}
	h := r.header()
	switch {
	case r.Generation == 0 && (r.MadeBy != r.Transcript || len(r.Reshare) > 0):
		return fmt.Errorf("%s: generation 0 is made by its own transcript, and by no resharing", h.ref())
	case r.Generation > 0 && (len(r.Reshare) < 1 || len(r.Reshare) > maxReshare):
		return fmt.Errorf("%s: %d bytes of the resharing", h.ref(), len(r.Reshare))
	case r.Generation == 0 && len(r.Deals) != r.N:
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

func (r *Record) ref() Ref { return Ref{r.Batch, r.Generation} }

func (r *Record) header() *header {
	h := &header{
		founding: founding{
			Batch: r.Batch, Context: r.Context, Transcript: r.Transcript, Suite: r.Suite,
			N: r.N, T: r.T, K: r.K, Index: r.Index, Owner: r.Owner,
		},
		Generation: r.Generation, MadeBy: r.MadeBy, Deals: len(r.Deals),
	}
	if r.Generation > 0 {
		h.Reshare = sha256.Sum256(r.Reshare)
	}
	return h
}

func (h *header) record() *Record {
	return &Record{
		Batch: h.Batch, Generation: h.Generation, Context: h.Context, Transcript: h.Transcript, MadeBy: h.MadeBy,
		Suite: h.Suite, N: h.N, T: h.T, K: h.K, Index: h.Index, Owner: h.Owner,
	}
}

func validateCertificates(ref Ref, n int, certs [][]byte) error {
	if len(certs) != n {
		return fmt.Errorf("%s: %d certificates for %d nodes", ref, len(certs), n)
	}
	for i, c := range certs {
		if len(c) < 1 || len(c) > maxCert {
			return fmt.Errorf("%s: certificate %d has %d bytes", ref, i, len(c))
		}
	}
	return nil
}

var errNoID = fmt.Errorf("batch id is not 32 lower-case hexadecimal characters: %w", ErrUnknown)

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
		return errNoID
	case !h.suite().Valid():
		return fmt.Errorf("batch %s: unknown suite %d", h.Batch, h.Suite)
	case h.T < 1 || h.T > h.N || h.N > frost.MaxNodes:
		return fmt.Errorf("batch %s: threshold %d of %d nodes", h.Batch, h.T, h.N)
	case h.K < 1 || h.K > maxKeys:
		return fmt.Errorf("batch %s: %d keys, outside 1 to %d", h.Batch, h.K, maxKeys)
	case h.Index < 0 || h.Index >= h.N:
		return fmt.Errorf("batch %s: node %d of %d", h.Batch, h.Index, h.N)
	case h.Deals < 1 || h.Deals > maxDeals:
		return fmt.Errorf("batch %s: %d deals", h.Batch, h.Deals)
	case len(h.Owner) > maxOwner || !utf8.ValidString(h.Owner):
		return fmt.Errorf("batch %s: owner is longer than %d bytes or not UTF-8", h.Batch, maxOwner)
	}
	return nil
}
