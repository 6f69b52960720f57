package keystore

import "testing"

// That there is a ledger is remembered over restarts.
func TestNoteLedger(t *testing.T) {
	dir := t.TempDir()
	for life, want := range []bool{false, true, true} {
		s, err := Open(dir, &[32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		if had, err := s.HadLedger(); err != nil || had != want {
			t.Errorf("life %d: %v, %v", life, had, err)
		}
		if err := s.NoteLedger(); err != nil {
			t.Fatal(err)
		}
		if had, err := s.HadLedger(); err != nil || !had {
			t.Errorf("life %d, after the note: %v, %v", life, had, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
