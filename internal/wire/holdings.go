package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// What nodes hold of the register. A program that lacks an entry asks them: for the
// digests of what they hold, for the lists of the buckets that differ from its own, and
// then for the entry itself, which proves itself. Nothing else that is said here is
// believed: a list is a claim.

// HoldingsVersion is the format of questions and answers that this program writes and
// reads.
const HoldingsVersion = 1

// Bounds of questions and answers.
const (
	HoldingBuckets = 256
	MaxHoldings    = 4096 // in one answer
	MaxAsk         = 512  // bytes, signed or not

	bucketDigest = 16 // bytes of a bucket's digest
)

// Holding is a finished batch that somebody holds whole: its id, and the first half of
// its transcript. They are in order by their bytes, and the first byte is the bucket.
type Holding [32]byte

// NewHolding is a batch as it is listed.
func NewHolding(id string, transcript [32]byte) (h Holding) {
	if n, err := hex.Decode(h[:16], []byte(id)); err != nil || n != 16 {
		panic("batch id: " + id) // ShortID made it
	}
	copy(h[16:], transcript[:])
	return h
}

// ID is the batch's.
func (h Holding) ID() string { return hex.EncodeToString(h[:16]) }

// Bucket is where the batch is listed.
func (h Holding) Bucket() int { return int(h[0]) }

// Compare orders holdings.
func (h Holding) Compare(o Holding) int { return slices.Compare(h[:], o[:]) }

// BucketDigest is the digest of a bucket's holdings in their order.
func BucketDigest(bucket int, in []Holding) (digest [bucketDigest]byte) {
	all := make([]byte, 0, len(in)*len(Holding{}))
	for i := range in {
		all = append(all, in[i][:]...)
	}
	hash := frost.Hash("frostfleet/holdings/v1", Be32(bucket), all)
	copy(digest[:], hash[:])
	return digest
}

// AskKind is what is asked for.
type AskKind uint32

// The questions.
const (
	AskDigests AskKind = iota + 1 // of all buckets
	AskList                       // what is held behind Holding, of its bucket
	AskHead                       // the head of Holding's entry
	AskDeal                       // one of its deals
)

// Ask is a question to a node. Its answer comes under HeldSubject.
type Ask struct {
	Version uint32  `cbor:"1,keyasint"`
	Kind    AskKind `cbor:"2,keyasint"`
	Number  uint64  `cbor:"3,keyasint"` // of the question, repeated in the answer
	ReplyTo string  `cbor:"4,keyasint"` // who asks: a token that it drew at its start
	Holding Holding `cbor:"5,keyasint"`
	Deal    uint32  `cbor:"6,keyasint,omitempty"` // index among the entry's
}

// Held is a node's answer, sealed by it for the subject that it goes to. So it answers
// the very process that asked.
type Held struct {
	Version uint32  `cbor:"1,keyasint"`
	Kind    AskKind `cbor:"2,keyasint"`
	Number  uint64  `cbor:"3,keyasint"`
	Count   uint64  `cbor:"4,keyasint,omitempty"` // batches that the node holds
	More    bool    `cbor:"5,keyasint,omitempty"` // the list goes on behind its last one
	Data    []byte  `cbor:"6,keyasint,omitempty"` // digests, holdings, a head, a deal; absent: it does not hold it
}

// AskSubject is where a node is asked, and HeldSubject where it answers. AdminAskSubject
// is where it hears the streams' own account, in which only the administrator is.
func (m *Manifest) AskSubject(node int) string      { return "ask." + m.nodeTokens(node) }
func (m *Manifest) AdminAskSubject(node int) string { return "adminask." + m.nodeTokens(node) }
func HeldSubject(replyTo string, i int) string      { return fmt.Sprintf("held.%s.%d", replyTo, i) }

var errHoldings = errors.New("question or answer about holdings with fields that do not fit its kind")

// DecodeAsk reads a question.
func DecodeAsk(data []byte) (*Ask, error) {
	var a Ask
	if err := Decode(data, MaxAsk, &a); err != nil {
		return nil, err
	}
	if a.Version != HoldingsVersion {
		return nil, fmt.Errorf("question of format %d, and this program reads %d", a.Version, HoldingsVersion)
	}
	if !IsToken(a.ReplyTo) || a.Kind < AskDigests || a.Kind > AskDeal || a.Deal >= MaxDeals ||
		a.Kind != AskDeal && a.Deal != 0 {
		return nil, errHoldings
	}
	return &a, nil
}

// OpenAsk reads a question, and returns the gateway that signed it; "" if nobody did.
// A signature that is not the named gateway's is an error.
func OpenAsk(m *Manifest, a *Access, subject string, data []byte) (gateway string, ask *Ask, err error) {
	var e Envelope
	if Decode(data, MaxAsk, &e) == nil {
		body, err := a.FromGateway(m, subject, data)
		if err != nil {
			return "", nil, err
		}
		gateway, data = e.Gateway, body
	}
	ask, err = DecodeAsk(data)
	return gateway, ask, err
}

// DecodeHeld reads an answer.
func DecodeHeld(body []byte) (*Held, error) {
	var h Held
	if err := Decode(body, maxSealedDeal, &h); err != nil {
		return nil, err
	}
	if h.Version != HoldingsVersion {
		return nil, fmt.Errorf("answer of format %d, and this program reads %d", h.Version, HoldingsVersion)
	}
	fits := !h.More
	switch h.Kind {
	case AskDigests:
		fits = fits && len(h.Data) == HoldingBuckets*bucketDigest
	case AskList:
		items := len(h.Data) / len(Holding{})
		fits = len(h.Data)%len(Holding{}) == 0 && items <= MaxHoldings && (!h.More || items > 0)
		list := h.List()
		for i := 1; i < len(list) && fits; i++ {
			fits = list[i-1].Compare(list[i]) < 0
		}
	case AskHead:
		fits = fits && len(h.Data) <= MaxEntryHead
	case AskDeal:
	default:
		fits = false
	}
	if !fits {
		return nil, errHoldings
	}
	return &h, nil
}

// Digest is that of one bucket, of an answer to AskDigests.
func (h *Held) Digest(bucket int) (digest [bucketDigest]byte) {
	copy(digest[:], h.Data[bucket*bucketDigest:])
	return digest
}

// List are the holdings of an answer to AskList, ascending.
func (h *Held) List() []Holding {
	list := make([]Holding, len(h.Data)/len(Holding{}))
	for i := range list {
		copy(list[i][:], h.Data[i*len(Holding{}):])
	}
	return list
}

// Answers reports whether the answer is one to a question of its number: of its kind,
// and a list of what was asked for.
func (h *Held) Answers(a *Ask) bool {
	if h.Number != a.Number || h.Kind != a.Kind {
		return false
	}
	if h.Kind != AskList || len(h.Data) == 0 {
		return true
	}
	list := h.List()
	return a.Holding.Compare(list[0]) < 0 && list[len(list)-1].Bucket() == a.Holding.Bucket()
}

// OpenHeld opens an answer that node i must have sealed, for whoever drew replyTo.
func OpenHeld(m *Manifest, a *Access, i int, replyTo string, msg LogMessage) (*Held, error) {
	if a.RevokesNode(m, i) {
		return nil, errRevoked
	}
	msg.Subject, msg.read = HeldSubject(replyTo, i), nil
	body, err := NewOpener(m, a).open(i, msg, a, maxSealedDeal)
	if err != nil {
		return nil, err
	}
	return DecodeHeld(body)
}

// PeekHeld is the number of the question that a message says it answers. It proves
// nothing.
func PeekHeld(data []byte) (number uint64, ok bool) {
	var peek struct {
		Number uint64 `cbor:"3,keyasint"`
	}
	body := UnverifiedBody(data)
	return peek.Number, body != nil && peekMode.Unmarshal(body, &peek) == nil
}

// HoldingsRoot is one hash of all digests, for a heartbeat.
func HoldingsRoot(count uint64, digests []byte) [32]byte {
	return frost.Hash("frostfleet/holdings-root/v1", binary.BigEndian.AppendUint64(nil, count), digests)
}
