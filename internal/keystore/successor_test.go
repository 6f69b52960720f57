package keystore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func approved(t *testing.T, dir string) *Successor {
	t.Helper()
	s, err := LoadSuccessor(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// One manifest is approved at a time. It can be taken back until the node has dealt, and not
// dealt to once it was.
func TestSuccessor(t *testing.T) {
	dir := t.TempDir()
	one := &Successor{Manifest: []byte(`{"next": 1}`), Approval: []byte("signed")}
	other := &Successor{Manifest: []byte(`{"next": 2}`), Approval: []byte("signed")}
	if approved(t, dir) != nil {
		t.Fatal("something is approved in an empty folder")
	}
	fails := func(want, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	works := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fails(ErrNoSuccessor, RevokeSuccessor(dir))
	fails(ErrNoSuccessor, MarkDealt(dir, one.Manifest))
	works(SaveSuccessor(dir, one))
	fails(ErrOtherSuccessor, SaveSuccessor(dir, other))
	fails(ErrNoSuccessor, MarkDealt(dir, other.Manifest))
	works(RevokeSuccessor(dir))
	fails(ErrNoSuccessor, MarkDealt(dir, one.Manifest)) // the worker comes too late
	works(SaveSuccessor(dir, other))
	forced := &Successor{Manifest: other.Manifest, Approval: []byte("signed anew"), Forced: true}
	works(MarkDealt(dir, other.Manifest))
	works(SaveSuccessor(dir, forced))
	works(MarkDealt(dir, other.Manifest))
	fails(ErrDealt, RevokeSuccessor(dir))
	fails(ErrOtherSuccessor, SaveSuccessor(dir, one))
	got := approved(t, dir)
	if !bytes.Equal(got.Manifest, other.Manifest) || !bytes.Equal(got.Approval, forced.Approval) || !got.Forced || !got.Dealt {
		t.Errorf("%+v", got)
	}
	for name, bad := range map[string]*Successor{
		"no manifest": {Approval: []byte("x")}, "no approval": {Manifest: []byte("x")},
		"a huge manifest": {Manifest: make([]byte, maxSuccessor), Approval: []byte("x")},
	} {
		if err := SaveSuccessor(t.TempDir(), bad); err == nil {
			t.Errorf("%s is kept", name)
		}
	}
	if err := SaveSuccessor(filepath.Join(dir, "none"), one); err == nil {
		t.Error("kept in a folder that is not there")
	}
}

// A file that is not what was written ends the start: with nothing in its place the node
// might go back on what it has dealt.
func TestSuccessorDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SuccessorFile)
	if err := SaveSuccessor(dir, &Successor{Manifest: []byte("next"), Approval: []byte("signed"), Dealt: true}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{"empty": nil, "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0)}
	for i := range good {
		bent := bytes.Clone(good)
		bent[i] ^= 1
		bad["bent"] = bent
		for name, data := range bad {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				func() error { _, err := LoadSuccessor(dir); return err }(), RevokeSuccessor(dir), MarkDealt(dir, []byte("next")),
				SaveSuccessor(dir, &Successor{Manifest: []byte("next"), Approval: []byte("signed")}),
			} {
				if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
					t.Fatalf("%s, byte %d: %v", name, i, err)
				}
			}
		}
	}
	later, err := encoder.Marshal(&keptSuccessor{Version: 2, Manifest: []byte("x"), Approval: []byte("y")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeSuccessor(checked(later)); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Error(err)
	}
}

// The worker and its operator's command change the file at once: either the approval is taken
// back and the node must not deal, or it has dealt and it stays.
func TestRevokeBesideADeal(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		if err := SaveSuccessor(dir, &Successor{Manifest: []byte("next"), Approval: []byte("signed")}); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		var revoked, dealt error
		both.Go(func() { revoked = RevokeSuccessor(dir) })
		both.Go(func() { dealt = MarkDealt(dir, []byte("next")) })
		both.Wait()
		s := approved(t, dir)
		switch {
		case revoked == nil && errors.Is(dealt, ErrNoSuccessor) && s == nil:
		case dealt == nil && errors.Is(revoked, ErrDealt) && s != nil && s.Dealt:
		default:
			t.Fatalf("revoked: %v, dealt: %v, kept: %+v", revoked, dealt, s)
		}
	}
}

func FuzzSuccessor(f *testing.F) {
	good, err := (&Successor{Manifest: []byte("next"), Approval: []byte("signed"), Forced: true}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[32:])
	f.Add([]byte{0x85})
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSuccessor(checked(body))
		if err != nil {
			return
		}
		if again, err := s.encode(); err != nil || !bytes.Equal(again, checked(body)) {
			t.Fatalf("decoded, and encodes to other bytes: %v", err)
		}
	})
}
