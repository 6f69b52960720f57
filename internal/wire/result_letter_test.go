package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestCutLetter: a payload that fits stays, and of a larger one there is enough to
// find and to recognise it.
func TestCutLetter(t *testing.T) {
	for _, size := range []int{0, 1, MaxLetterPayload, MaxLetterPayload + 1, MaxJobSize} {
		payload := bytes.Repeat([]byte{7}, size)
		d := DeadLetter{Payload: payload}
		d.Cut()
		if size <= MaxLetterPayload {
			if len(d.Payload) != size || d.Size != 0 || d.SHA256 != "" {
				t.Errorf("%d bytes were cut: %d, %q", size, d.Size, d.SHA256)
			}
			continue
		}
		sum := sha256.Sum256(payload)
		if len(d.Payload) != MaxLetterPayload || d.Size != size || d.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%d bytes: %d kept, size %d, %q", size, len(d.Payload), d.Size, d.SHA256)
		}
	}
}
