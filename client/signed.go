package client

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Signed is what came of a PSBT, a transaction or a message, checked. What the signatures
// were put into was made here, of the request's own bytes.
type Signed struct {
	Job        string // id
	Signatures []InputSignature
	// Refused are the inputs that a PSBT with Partial is left with: its own that can't be signed.
	Refused []RefusedInput

	PSBT []byte // the PSBT with the signatures in it
	// Transaction is ready for the network if all of its signatures are there: of a PSBT with
	// Finalize the extracted transaction, nil if others have still to sign; of Solana the
	// transaction in its wire format.
	Transaction []byte
	// MessageSignature is the signature of a text as wallets take it: BIP 322's witness, which
	// they want in base64, or the 64 bytes of Ed25519.
	MessageSignature []byte
	// Rechecked is how many of the signatures btcd's library or crypto/ed25519 verified: all,
	// but of a PSBT's inputs only a share (Config.Recheck).
	Rechecked int
}

// InputSignature is one signature, checked, and where it belongs.
type InputSignature struct {
	At        int    // number of the input, or of the signer
	Key       string // id
	Path      string // to the child that signed
	PublicKey []byte // verifies it: x-only output key (BIP 341), or Ed25519; 32 bytes
	Signature []byte // 64 bytes, without a sighash byte
}

// RefusedInput is an input that was left unsigned.
type RefusedInput struct {
	At      int
	Code    Code
	Message string
}

// check returns what checks an answer to the job. Nothing is believed: which signatures
// there are to be, by which keys and of what, follows from the request. share is of
// Config.Recheck.
func (j *SignJob) check(m *wire.Manifest, share float64) func(*prepared, *answer) (*Signed, error) {
	return func(_ *prepared, a *answer) (*Signed, error) {
		r, in := &a.result, j.reading.Intent()
		if err := sameFleet(m, r); err != nil {
			return nil, err
		}
		if want := wire.RequestSuite(j.kind).String(); r.Suite != want {
			return nil, fmt.Errorf("signatures of suite %.64q, want %s", r.Suite, want)
		}
		if partial := len(in.Refused) > 0; partial != (r.Status == wire.StatusPartial) {
			return nil, fmt.Errorf("status %s, and %d inputs can't be signed", r.Status, len(in.Refused))
		}
		signed, err := j.place(r)
		if err != nil {
			return nil, err
		}
		out := &Signed{Job: j.ID}
		for i, s := range in.Signatures {
			out.Signatures = append(out.Signatures, InputSignature{
				At: s.At, Key: j.keys[s.Root].Key, Path: s.Path.String(), PublicKey: s.PublicKey, Signature: signed[i],
			})
		}
		for _, refused := range in.Refused {
			out.Refused = append(out.Refused, RefusedInput{refused.At, Code(refused.Code), refused.Reason})
		}
		finished, err := j.reading.Finish(signed, j.final)
		if err != nil {
			return nil, fmt.Errorf("putting the signatures in their places: %w", err)
		}
		out.PSBT, out.Transaction, out.MessageSignature = finished.PSBT, finished.Transaction, finished.Signature
		if out.Rechecked, err = j.verify(signed, finished, share); err != nil {
			return nil, err
		}
		return out, j.same(r, finished)
	}
}

// place returns the signatures of a result in the order of those that were asked for.
func (j *SignJob) place(r *wire.Result) ([][]byte, error) {
	in, refused := j.reading.Intent(), map[int]bool{}
	for _, f := range in.Refused {
		refused[f.At] = true
	}
	var signed [][]byte
	for i, s := range r.Sigs {
		switch next := len(signed); {
		case s.At == nil:
			return nil, fmt.Errorf("signature %d does not say where it belongs", i)
		case s.Code != "" && refused[*s.At]:
			delete(refused, *s.At)
		case s.Code != "":
			return nil, fmt.Errorf("%d is said to be refused, with %.64q, and can be signed", *s.At, string(s.Code))
		case next == len(in.Signatures) || *s.At != in.Signatures[next].At:
			return nil, fmt.Errorf("a signature for %d, which is not what comes next", *s.At)
		default:
			want := in.Signatures[next]
			if key := j.keys[want.Root].Key; s.Key != key || s.Path != want.Path.String() {
				return nil, fmt.Errorf("%d is signed by key %.80q, path %.100q: want %s, path %q", *s.At, s.Key, s.Path, key,
					want.Path)
			}
			if !bytes.Equal(s.PublicKey, want.PublicKey) {
				return nil, fmt.Errorf("%d is signed by key %.64x, want %x", *s.At, []byte(s.PublicKey), want.PublicKey)
			}
			signed = append(signed, s.Signature)
		}
	}
	if len(signed) != len(in.Signatures) || len(refused) > 0 {
		return nil, fmt.Errorf("%d signatures of %d, and nothing of %d inputs that can't be signed", len(signed),
			len(in.Signatures), len(refused))
	}
	return signed, nil
}

// verify verifies the signatures: as those of a transaction of which everything is known,
// where they are, and the others for the bytes that were to be signed. rechecked is how many
// a library verified.
func (j *SignJob) verify(signed [][]byte, finished tx.Finished, share float64) (rechecked int, err error) {
	asked := j.reading.Intent().Signatures
	named := func(i int, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%d, key %s: %w", asked[i].At, j.keys[asked[i].Root].Key, err)
	}
	if j.kind == intent.PSBT {
		if spend := newSpending(finished); spend != nil {
			return spend.verify(asked, share, named)
		}
	}
	for i, s := range asked {
		err := VerifySignature(wire.RequestSuite(j.kind).String(), s.PublicKey, s.Message, signed[i])
		if err != nil {
			return i, named(i, err)
		}
	}
	return len(asked), nil
}

// same compares what the gateway made of the request with what was made of it here.
func (j *SignJob) same(r *wire.Result, want tx.Finished) error {
	transaction := base64.StdEncoding.EncodeToString(want.Transaction)
	if j.kind == intent.PSBT {
		transaction = hex.EncodeToString(want.Transaction)
	}
	for _, part := range []struct {
		what      string
		got, want []byte
	}{
		{"PSBT", r.PSBT, want.PSBT},
		{"transaction", []byte(r.Transaction), []byte(transaction)},
		{"signature of the message", r.MessageSignature, want.Signature},
	} {
		if !bytes.Equal(part.got, part.want) {
			return fmt.Errorf("its %s is not what follows from the request and the signatures", part.what)
		}
	}
	return nil
}
