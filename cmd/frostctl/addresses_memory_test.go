package main

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
)

// sink takes output, counts its rows and is asked after each write whether that is enough.
type sink struct {
	rows  int
	last  []byte // what was written last
	wrote func(rows int) error
}

func (s *sink) Write(p []byte) (int, error) {
	s.rows += bytes.Count(p, []byte("\n"))
	s.last = append(s.last[:0], p...)
	return len(p), s.wrote(s.rows)
}

// deriveInto derives all addresses that a key has, until out has enough.
func deriveInto(ctx context.Context, out *sink, args ...string) (stderr string, code int) {
	root := newRootCommand()
	var errs bytes.Buffer
	root.SetArgs(append([]string{"addresses", "--count", "2147483648", "--manifest", "manifest.json"}, args...))
	root.SetOut(out)
	root.SetErr(&errs)
	code = command.Run(ctx, root, exits...)
	return errs.String(), code
}

// TestAddressesInConstantMemory: rows come from the beginning, in every format, and
// nothing of what was printed is kept.
func TestAddressesInConstantMemory(t *testing.T) {
	bitcoin, _ := offline(t, "mainnet")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // each core has a chunk in work
	// A row that were kept would take 80 bytes at least. What a chunk in work takes, a megabyte, may be in
	// use at one of the two looks and not at the other.
	const from, to, each = 2_000, 52_000, 80
	for _, format := range []string{"--csv=false", "--csv", "--json"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var before, after uint64
		out := &sink{wrote: func(rows int) error {
			switch {
			case before == 0 && rows >= from:
				before = liveHeap()
			case after == 0 && rows >= to:
				after = liveHeap()
				cancel()
			}
			return nil
		}}
		stderr, code := deriveInto(ctx, out, format, "--key", bitcoin[0].ID)
		if code != command.CodeInterrupted || after == 0 || after > before+(to-from)*each/2 {
			t.Errorf("%s: %d bytes in use after %d rows, %d after %d; exit code %d, said %q", format, before, from, after, to,
				code, stderr)
		}
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAddressesInterrupted: what is printed ends with a whole row, and the exit code is
// that of an interruption; a disk that is full ends it too.
func TestAddressesInterrupted(t *testing.T) {
	bitcoin, _ := offline(t, "mainnet")
	ctx, cancel := context.WithCancel(t.Context())
	out := &sink{wrote: func(int) error { cancel(); return nil }}
	stderr, code := deriveInto(ctx, out, "--csv", "--key", bitcoin[0].ID)
	if code != command.CodeInterrupted || !strings.Contains(stderr, "frostctl: interrupted\n") || out.rows < 2 ||
		!bytes.HasSuffix(out.last, []byte("\n")) {
		t.Errorf("exit code %d, said %q, printed %d rows that end with %q", code, stderr, out.rows, out.last)
	}
	full := &sink{wrote: func(int) error { return errors.New("no space left on device") }}
	if stderr, code := deriveInto(t.Context(), full, "--key", bitcoin[0].ID); code != exitError ||
		!strings.Contains(stderr, "no space left") {
		t.Errorf("a full disk: exit code %d, said %q", code, stderr)
	}
}
