package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// A sign job that says what it wants in a form that workers read for themselves: a PSBT, a
// transaction, a message. Such a job has no items. What there is to sign follows from its
// bytes (internal/tx).

// Limits of such a job.
const (
	MaxPSBTKeys    = 100 // roots under which the inputs of a PSBT are looked for
	MaxTxSigners   = 16  // keys that sign a Solana transaction
	MaxTextMessage = 4096
)

// SignKey is a key of the client that a request names: a root under which inputs and
// change are looked for, or what signs.
type SignKey struct {
	Key string `json:"key"`
	// Path leads to the child that signs; nil: the key itself. PSBTs say that themselves.
	Path *string `json:"path,omitempty"`
}

// Base64 is bytes that JSON holds in standard base64, padded, and in one form only.
type Base64 []byte

var strictBase64 = base64.StdEncoding.Strict()

// MarshalText implements encoding.TextMarshaler.
func (b Base64) MarshalText() ([]byte, error) { return strictBase64.AppendEncode(nil, b), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Base64) UnmarshalText(text []byte) error {
	if strings.ContainsAny(string(text), "\r\n") { // which the decoder skips
		return fmt.Errorf("base64 with line ends in it: write it in one line")
	}
	raw, err := strictBase64.AppendDecode([]byte{}, text)
	*b = raw
	return err
}

// Request is what a sign job wants signed, and the kind of that. A job of items has the
// kind raw, and no bytes.
func (j *Job) Request() (intent.Kind, []byte) {
	switch {
	case j.PSBT != nil:
		return intent.PSBT, j.PSBT
	case j.SolanaTransaction != nil:
		return intent.SolanaTransaction, j.SolanaTransaction
	case j.BitcoinMessage != nil:
		return intent.BitcoinMessage, []byte(*j.BitcoinMessage)
	case j.SolanaMessage != nil:
		return intent.SolanaMessage, []byte(*j.SolanaMessage)
	}
	return intent.Raw, nil
}

// RawIntent is what a list of items means: that so many signatures are asked for, of these
// keys. All of the job count, whichever of them a session has.
func (j *Job) RawIntent() (*intent.Intent, []intent.Root) {
	in, at := &intent.Intent{Kind: intent.Raw}, map[string]int{}
	var roots []intent.Root
	for i, it := range j.Items {
		root, ok := at[it.Key]
		if !ok {
			root = len(roots)
			at[it.Key], roots = root, append(roots, intent.Root{ID: it.Key})
		}
		in.Signatures = append(in.Signatures, intent.Signature{Root: root, Message: it.Message, At: i})
	}
	return in, roots
}

// KeyNames are the keys of a sign job as it names them, one for each item.
func (j *Job) KeyNames() []string {
	names := make([]string, 0, len(j.Items)+len(j.Keys))
	for _, it := range j.Items {
		names = append(names, it.Key)
	}
	for _, k := range j.Keys {
		names = append(names, k.Key)
	}
	return names
}

// RequestSuite is the suite of the keys that sign a kind of request; 0: whatever they are.
func RequestSuite(kind intent.Kind) frost.Suite {
	switch kind {
	case intent.PSBT, intent.BitcoinMessage:
		return frost.Secp256k1TR
	case intent.SolanaTransaction, intent.SolanaMessage:
		return frost.Ed25519
	}
	return 0
}

// forms are the fields of a sign job of which it has one.
func (j *Job) forms() (names []string) {
	for _, form := range []struct {
		name string
		used bool
	}{
		{"items", j.Items != nil}, {"psbt", j.PSBT != nil}, {"solana_transaction", j.SolanaTransaction != nil},
		{"bitcoin_message", j.BitcoinMessage != nil}, {"solana_message", j.SolanaMessage != nil},
	} {
		if form.used {
			names = append(names, form.name)
		}
	}
	return names
}

// checkRequest checks a job that has one of the forms beside items.
func (j *Job) checkRequest() *JobError {
	kind, content := j.Request()
	switch {
	case kind != intent.PSBT && (j.Partial || j.Finalize || j.Replaces != ""):
		return Refuse(CodeMalformedJob, "partial, finalize and replaces belong to a psbt")
	case j.Replaces != "" && !IsJobID(j.Replaces):
		return Refuse(CodeMalformedJob, "replaces %.64q is not the id of a job", j.Replaces)
	case j.Replaces != "" && j.Replaces == j.ID:
		return Refuse(CodeMalformedJob, "the job says that it replaces itself")
	case len(content) == 0:
		return Refuse(CodeEmptyBatch, "%s is empty", kind)
	}
	if kind == intent.BitcoinMessage || kind == intent.SolanaMessage {
		// The decoder puts U+FFFD in the place of what is no text, and then it is not what
		// the client wrote.
		switch text := string(content); {
		case len(text) > MaxTextMessage:
			return Refuse(CodeBadMessage, "%s has %d bytes, and may have %d", kind, len(text), MaxTextMessage)
		case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
			return Refuse(CodeBadMessage, "%s is not valid UTF-8, or has a U+FFFD in it", kind)
		}
	}
	return j.checkKeys(kind)
}

// checkKeys checks the keys of a request as such.
func (j *Job) checkKeys(kind intent.Kind) *JobError {
	most := map[intent.Kind]int{intent.PSBT: MaxPSBTKeys, intent.SolanaTransaction: MaxTxSigners}[kind]
	if most = max(most, 1); len(j.Keys) == 0 || len(j.Keys) > most {
		return Refuse(CodeMalformedJob, "%d keys: name 1 to %d keys of this client for a %s", len(j.Keys), most, kind)
	}
	type named struct{ key, path string }
	seen := map[named]bool{}
	for i, k := range j.Keys {
		if _, err := ParseKeyID(k.Key); err != nil {
			return Refuse(CodeUnknownKey, "keys[%d]: %v", i, err)
		}
		name := named{key: k.Key}
		if k.Path != nil {
			if kind == intent.PSBT {
				return Refuse(CodeBadPath, "keys[%d] has a path: the inputs of a PSBT say it themselves", i)
			}
			if _, err := derive.ParsePath(*k.Path); err != nil {
				return Refuse(CodeBadPath, "keys[%d]: path %.100q: %v", i, *k.Path, err)
			}
			name.path = *k.Path // which is never empty
		}
		if seen[name] {
			return Refuse(CodeMalformedJob, "keys[%d] is there twice", i)
		}
		seen[name] = true
	}
	return nil
}
