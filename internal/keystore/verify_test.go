package keystore

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// bigImage is a file with branch pages and a list of free pages.
func bigImage(t testing.TB, batches int) []byte {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range batches {
		r := sample(i, 3, 2, 20, frost.Ed25519)
		if err := errors.Join(s.Certify(r), s.Complete(r.ref(), r.Certificates)); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	return image(t, dir)
}

// TestVerify spoils one thing of a sound file and wants to hear of it. Each of
// these would make bbolt loop, or allocate or overwrite what it must not.
func TestVerify(t *testing.T) {
	good := bigImage(t, 30)
	size := os.Getpagesize()
	if err := verify(bytes.NewReader(good), int64(len(good))); err != nil {
		t.Fatal(err)
	}
	v := &verifier{file: bytes.NewReader(good)}
	if err := v.meta(uint64(len(good))); err != nil {
		t.Fatal(err)
	}
	// find gives a live page with a flag: a stale copy would prove nothing.
	v.seen = make([]bool, v.pages)
	if err := v.tree(v.root, 0); err != nil {
		t.Fatal(err)
	}
	find := func(flag uint16) int {
		for id := range int(v.pages) {
			if at := id * size; v.seen[id] && order.Uint64(good[at:]) == uint64(id) && order.Uint16(good[at+8:]) == flag {
				return at
			}
		}
		t.Fatalf("no live page with flag %#x", flag)
		return 0
	}
	branch, leaf, free := find(flagBranch), find(flagLeaf), int(v.freelist)*size
	tests := map[string]struct {
		spoil func([]byte)
		want  string
	}{
		"page that leads to itself": {func(b []byte) { copy(b[branch+headerSize+8:], b[branch:branch+8]) }, "in use twice"},
		"page behind the end":       {func(b []byte) { order.PutUint64(b[branch+headerSize+8:], v.pages) }, "page "},
		"meta page in the tree":     {func(b []byte) { order.PutUint64(b[branch+headerSize+8:], 1) }, "page 1 of"},
		"wrong page number":         {func(b []byte) { b[leaf]++ }, "says that it is page"},
		"too much overflow":         {func(b []byte) { order.PutUint32(b[leaf+12:], 1<<31) }, "says that it is page"},
		"other flags":               {func(b []byte) { b[leaf+8] = flagFreelist }, "has flags"},
		"empty branch":              {func(b []byte) { order.PutUint16(b[branch+10:], 0) }, "0 elements"},
		"too many elements":         {func(b []byte) { order.PutUint16(b[leaf+10:], 0xffff) }, "elements in"},
		"huge value":                {func(b []byte) { order.PutUint32(b[leaf+headerSize+12:], 1<<32-1) }, "outside it"},
		"key in the table":          {func(b []byte) { order.PutUint32(b[leaf+headerSize+4:], 0) }, "outside it"},
		"element flags":             {func(b []byte) { b[leaf+headerSize] = 2 }, "has flags 0x2"},
		"too many free pages":       {func(b []byte) { order.PutUint16(b[free+10:], 0xfffe) }, "list of free pages"},
		"long list of free pages": {func(b []byte) {
			order.PutUint16(b[free+10:], 0xffff)
			order.PutUint64(b[free+headerSize:], 1<<40)
		}, "list of free pages"},
		"free page in use": {
			func(b []byte) { order.PutUint64(b[free+headerSize:], uint64(leaf/size)) },
			"in use, listed twice",
		},
		"free page outside": {func(b []byte) { order.PutUint64(b[free+headerSize:], v.pages) }, "outside the file"},
		"meta pages":        {func(b []byte) { b[headerSize+20]++; b[size+headerSize+20]++ }, "no meta page is whole"},
	}
	for name, c := range tests {
		bad := bytes.Clone(good)
		c.spoil(bad)
		err := verify(bytes.NewReader(bad), int64(len(bad)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := Open(dirWith(t, bad), &testSeal); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: Open gave %v", name, err)
		}
	}
	for _, n := range []int{1, 79, size, 2 * size, len(good) - size} {
		if err := verify(bytes.NewReader(good[:n]), int64(n)); err == nil && n < int(v.pages)*size {
			t.Errorf("a file cut to %d bytes passes", n)
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := bigImage(f, 2)
	f.Add(good)
	f.Add(good[:os.Getpagesize()])
	f.Fuzz(func(_ *testing.T, data []byte) { _ = verify(bytes.NewReader(data), int64(len(data))) })
}

func BenchmarkOpen(b *testing.B) {
	dir := dirWith(b, bigImage(b, 500))
	for b.Loop() {
		s, err := Open(dir, &testSeal)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}
