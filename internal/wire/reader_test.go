package wire

import (
	"bytes"
	"crypto/rand"
	"testing"
)

// An Opener says of a message that was read the same as of one that was not, whoever sealed it, for what subject and
// manifest, and also after its node was revoked.
func TestReaderChangesNoVerdict(t *testing.T) {
	f := newFleet(t, 2, 3)
	other := newFleet(t, 2, 3)
	key := f.sessions[0]
	subject := Slot{SlotDeal, ShortID([32]byte{1}), 0}.String()
	good := key.Seal(f.m, subject, []byte("body"))
	bent := bytes.Replace(good, []byte("body"), []byte("bode"), 1)
	stranger, err := NewSessionKey(rand.Reader, 0, t0)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader()
	for name, c := range map[string]struct {
		subject string
		data    []byte
		read    *Manifest
		noted   bool // that it is well signed
	}{
		"good":             {subject, good, f.m, true},
		"again":            {subject, good, f.m, true},
		"other subject":    {Slot{SlotDeal, ShortID([32]byte{2}), 0}.String(), good, f.m, false},
		"other manifest":   {subject, other.sessions[0].Seal(other.m, subject, []byte("body")), other.m, true},
		"read for another": {subject, good, other.m, false},
		"bent":             {subject, bent, f.m, false},
		"no envelope":      {subject, []byte("junk"), f.m, false},
		"no delegation":    {subject, stranger.Seal(f.m, subject, []byte("body")), f.m, false},
		"no slot":          {"work.x", key.Seal(f.m, "work.x", []byte("body")), f.m, false},
	} {
		t.Run(name, func(t *testing.T) {
			plain := storedAt(c.subject, t0, c.data)
			read := r.Read(c.read, plain)
			if (read.read != nil) != c.noted {
				t.Errorf("noted: %v", read.read != nil)
			}
			want, wantErr := NewOpener(f.m, nil).FromRound(0, plain)
			got, err := NewOpener(f.m, nil).FromRound(0, read)
			if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
				t.Errorf("opened as %q, %v; unread as %q, %v", got, err, want, wantErr)
			}
			if err == nil && read.EntryDigest(f.m, got) != DealDigest(want) {
				t.Error("another digest")
			}
			if _, err := NewOpener(f.m, nil).FromRound(1, read); err == nil {
				t.Error("it is taken for another node's")
			}
		})
	}
}
