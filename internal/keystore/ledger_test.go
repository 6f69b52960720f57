package keystore

import "testing"

// That there is a ledger, and the number of its state, is remembered over restarts. A ledger
// that was lost begins anew.
func TestNoteLedger(t *testing.T) {
	dir := t.TempDir()
	want, wanted := uint64(0), false
	for life, next := range []uint64{0, 7, 1} {
		s, err := Open(dir, &[32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		if seq, had, err := s.Ledger(); err != nil || had != wanted || seq != want {
			t.Errorf("life %d: %d, %v, %v", life, seq, had, err)
		}
		if err := s.NoteLedger(next); err != nil {
			t.Fatal(err)
		}
		want, wanted = next, true
		if seq, had, err := s.Ledger(); err != nil || !had || seq != want {
			t.Errorf("life %d, after the note: %d, %v, %v", life, seq, had, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
