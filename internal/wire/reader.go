package wire

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Reader does what a sealed message takes most time for, before an Opener is asked about it and beside the lock that
// the Opener needs: it decodes and hashes the message, and checks its signature. What it finds goes with the message
// and is no verdict: who may speak, and when, is the Opener's to say. It is safe for concurrent use.
type Reader struct {
	mu   sync.Mutex
	keys map[[32]byte]*verifier // of delegations, by their hash; nil: it has no usable one
}

// NewReader returns a Reader of any fleet.
func NewReader() *Reader { return &Reader{keys: map[[32]byte]*verifier{}} }

// readMessage is what a message's own bytes show under one manifest: its body is signed by the key of its
// delegation, whoever vouches for that.
type readMessage struct {
	of       [32]byte // the manifest
	envelope Envelope
	deal     [32]byte // DealDigest of what an entry has of it; of what is no deal zero
}

// Read returns a message of a slot with what its bytes show under a manifest. Junk comes back as it is.
func (r *Reader) Read(m *Manifest, msg LogMessage) LogMessage {
	read := readMessage{of: m.Hash()}
	slot, err := ParseSlot(msg.Subject)
	if err != nil || Decode(msg.Data, max(MaxMessageSize, maxSealedDeal), &read.envelope) != nil {
		return msg
	}
	e := &read.envelope
	key := r.key(e.Delegation)
	if key == nil || !key.verify(sealed(read.of, msg.Subject, e.Body), e.Signature) {
		return msg
	}
	if slot.Kind == SlotDeal {
		read.deal = entryDigest(e.Body)
	}
	msg.read = &read
	return msg
}

// key is the key that a delegation names, whoever vouches for it; nil if there is none.
func (r *Reader) key(raw []byte) *verifier {
	hash := frost.Hash("frostfleet/delegation-cache/v1", raw)
	r.mu.Lock()
	key, ok := r.keys[hash]
	r.mu.Unlock()
	if ok {
		return key
	}
	var d delegation
	if Decode(raw, maxDelegation, &d) == nil {
		key, _ = newVerifier(d.Key) // nil with an error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) >= maxKnownDelegations {
		clear(r.keys)
	}
	r.keys[hash] = key
	return key
}

// Size is what the message takes in memory, in bytes, about.
func (msg LogMessage) Size() int {
	if msg.read == nil {
		return len(msg.Data)
	}
	return len(msg.Data) + len(msg.read.envelope.Body)
}

// under is what was read of a message under a manifest; nil: nothing.
func (msg LogMessage) under(m *Manifest) *readMessage {
	if msg.read == nil || msg.read.of != m.Hash() {
		return nil
	}
	return msg.read
}

// EntryDigest names what an entry has of a deal, the message's body, which an Opener of a manifest has returned.
func (msg LogMessage) EntryDigest(m *Manifest, body []byte) [32]byte {
	if read := msg.under(m); read != nil && read.deal != [32]byte{} {
		return read.deal
	}
	return entryDigest(body)
}

func entryDigest(body []byte) [32]byte {
	kept, _ := EntryDeal(body)
	return DealDigest(kept)
}
