package protocol

import "fmt"

// Before a gateway says that there is no such key it has read KEYS at least as far as
// KEYS went when the job came: its replica may be behind, or it itself. It asks where
// KEYS ends, which its leader knows, one question at a time for all jobs that wait.

type (
	// AskKeysEnd asks where KEYS ends now, at its leader. KeysEndRead answers it, once
	// everything up to there was handed to the machine; until then jobs wait.
	AskKeysEnd struct{ Number uint64 }
	// KeysEndRead says that all was read that KEYS had when a question was asked.
	KeysEndRead struct{ Number uint64 }
)

func (AskKeysEnd) effect() {}
func (KeysEndRead) event() {}

func (e AskKeysEnd) String() string  { return fmt.Sprintf("AskKeysEnd %d", e.Number) }
func (e KeysEndRead) String() string { return fmt.Sprintf("KeysEndRead %d", e.Number) }

// keysEnd is what is known of how far KEYS was read.
type keysEnd struct {
	asked uint64 // the last question; its number tells when it was asked
	read  uint64 // the last one whose answer was read up to
}

// sinceNow is the question whose answer shows that KEYS was read as far as it goes now:
// the next one, as the one that is out may have been answered before.
func (k *keysEnd) sinceNow() uint64 { return k.asked + 1 }

// readSince reports whether KEYS was read up to the answer of a question.
func (k *keysEnd) readSince(question uint64) bool { return k.read >= question }

// want has a question asked unless that was done, or another one is out: then it is
// wanted again.
func (k *keysEnd) want(question uint64, out *outbox) {
	if question > k.asked && k.asked == k.read {
		k.asked++
		out.do(AskKeysEnd{Number: k.asked})
	}
}

func (k *keysEnd) onRead(e KeysEndRead) {
	if e.Number <= k.asked {
		k.read = max(k.read, e.Number)
	}
}
