package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func config(dir string) Config {
	return Config{Dir: dir, By: "worker-0", Role: "worker", Manifest: strings.Repeat("ab", 32), Log: slog.New(slog.DiscardHandler)}
}

// open opens a log whose files are of size bytes.
func open(t testing.TB, dir string, size int64) *Writer {
	t.Helper()
	w := newWriter(config(dir))
	w.maxFile = size
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	go w.run()
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// sample is a record like many.
func sample(i int) Record {
	return Record{
		Event: EventJob, Client: "treasury", Job: fmt.Sprintf("job-%d", i), Kind: "sign", Form: "psbt",
		Digest: strings.Repeat("5a", 32), Session: strings.Repeat("0", 32), Decision: Approved, Rule: "daily",
		Suite: "secp256k1-tr", Count: 3, Nodes: []int{0, 2}, Approved: []string{"alice"},
		Outflow: []Amount{{"btc", uint64(i)}},
	}
}

// filled writes n records to a log of small files and closes it.
func filled(t testing.TB, n int) (dir string, head Head) {
	t.Helper()
	dir = t.TempDir()
	w := open(t, dir, 4000)
	for i := range n {
		w.Append(sample(i))
		if i%10 == 9 {
			settled(t, w)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, w.Head()
}

// settled waits until all is written.
func settled(t testing.TB, w *Writer) {
	t.Helper()
	for {
		if _, waiting, _ := w.Stats(); waiting == 0 {
			return
		}
		if err := w.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, dir string, o Options) (*Summary, error) {
	t.Helper()
	files, err := Files(dir)
	if err != nil {
		return nil, err
	}
	return Verify(context.Background(), files, o)
}

// TestLog: what is appended is there, in its order, over files and starts.
func TestLog(t *testing.T) {
	t.Parallel()
	dir, head := filled(t, 50)
	w := open(t, dir, 4000)
	w.Append(Record{Event: EventStop, Reason: "a\x00b\u2028<&>\"\\\xff"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	jobs, last := 0, Record{}
	sum, err := verify(t, dir, Options{Heads: []Head{head, w.Head()}, Each: func(_ File, r *Record) error {
		if r.Event == EventJob {
			if want := fmt.Sprintf("job-%d", jobs); r.Job != want || r.Outflow[0].Units != uint64(jobs) {
				t.Errorf("%+v, want %s", r, want)
			}
			jobs++
		}
		last = *r
		return nil
	}})
	if err != nil || jobs != 50 || sum.Files < 5 || sum.Last != w.Head() || sum.Records != sum.Last.Seq {
		t.Fatalf("%d jobs, %+v, %v", jobs, sum, err)
	}
	if last.Event != EventStop || last.Reason != `a?b?<&>"\?` {
		t.Errorf("%+v", last)
	}
	if sum.By != "worker-0" || sum.Role != "worker" || len(sum.Torn) > 0 || sum.Unfinished != nil {
		t.Errorf("%+v", sum)
	}
	for _, f := range must(Files(dir)) {
		if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Path, info.Mode(), err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestArchive: files that were moved away leave a log that verifies alone and together
// with them.
func TestArchive(t *testing.T) {
	t.Parallel()
	dir, head := filled(t, 50)
	files, archive := must(Files(dir)), t.TempDir()
	for _, f := range files[:2] {
		if err := os.Rename(f.Path, filepath.Join(archive, filepath.Base(f.Path))); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := verify(t, dir, Options{Heads: []Head{head}})
	if err != nil || sum.Files != len(files)-2 || sum.First.Seq == 0 || sum.Records != sum.Last.Seq-sum.First.Seq {
		t.Errorf("%+v, %v", sum, err)
	}
	all, err := Files(dir, archive)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Verify(t.Context(), all, Options{Heads: []Head{head, sum.First}})
	if err != nil || whole.Files != len(files) || whole.First != (Head{}) || whole.Last != head {
		t.Errorf("%+v, %v", whole, err)
	}
	if _, err := verify(t, dir, Options{Heads: []Head{{Seq: 1}}}); !isBreak(err) {
		t.Errorf("a head before the first file: %v", err)
	}
	if err := os.Remove(all[3].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, dir, Options{}); !isBreak(err) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a file is missing: %v", err)
	}
}

func isBreak(err error) bool {
	var b *Break
	return errors.As(err, &b)
}

// TestLocked: one process writes a log.
func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, maxFile)
	if _, err := Open(config(dir)); !errors.Is(err, ErrLocked) {
		t.Errorf("two writers: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestNil: a program without a log does as if it had one.
func TestNil(t *testing.T) {
	t.Parallel()
	var w *Writer
	w.Append(sample(1))
	if !w.Room() || w.Err() != nil || w.Head() != (Head{}) || w.Close() != nil {
		t.Error("a Writer that is nil does something")
	}
}

// damage changes a log on the disk in one of the ways in which somebody may.
func damage(t *testing.T, rng *rand.Rand, files []File) string {
	t.Helper()
	f := files[rng.IntN(len(files))]
	text := must(os.ReadFile(f.Path))
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
	last := f == files[len(files)-1]
	what := ""
	switch rng.IntN(6) {
	case 0:
		at := rng.IntN(len(text) - 1) // the last line feed is the end of a record that is being written
		if !last {
			at = rng.IntN(len(text))
		}
		text[at] ^= byte(1 + rng.IntN(255))
		what = fmt.Sprintf("byte %d changed", at)
	case 1:
		if i == len(lines)-1 && last {
			return "" // that is a cut end
		}
		lines = append(lines[:i:i], lines[i+1:]...)
		text, what = bytes.Join(lines, nil), fmt.Sprintf("line %d dropped", i+1)
	case 2:
		lines = append(lines[:i+1:i+1], lines[i:]...)
		text, what = bytes.Join(lines, nil), fmt.Sprintf("line %d twice", i+1)
	case 3:
		if i == j {
			return ""
		}
		lines[i], lines[j] = lines[j], lines[i]
		text, what = bytes.Join(lines, nil), fmt.Sprintf("lines %d and %d exchanged", i+1, j+1)
	case 4:
		if last {
			return ""
		}
		text, what = text[:rng.IntN(len(text))], "end of a file cut that is not the last"
	case 5: // a record is put in whose own hash is right
		head := Head{Seq: uint64(i)}
		r := sample(i)
		made, _, err := appendLine(nil, head, &r, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines[:i+1:i+1], append([][]byte{made}, lines[i+1:]...)...)
		text, what = bytes.Join(lines, nil), fmt.Sprintf("a line put in after %d", i+1)
	}
	if err := os.WriteFile(f.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(f.Path) + ": " + what
}

func printed(r *Record) string {
	var text bytes.Buffer
	if err := r.encode(&text); err != nil {
		panic(err)
	}
	return text.String()
}

// TestDamage: whatever somebody does to the lines of a log shows, and nothing that comes
// after it is taken for a record.
func TestDamage(t *testing.T) {
	t.Parallel()
	good, head := filled(t, 40)
	files := must(Files(good))
	texts := map[string][]byte{}
	var records []string
	for _, f := range files {
		texts[f.Path] = must(os.ReadFile(f.Path))
	}
	if _, err := verify(t, good, Options{Each: func(_ File, r *Record) error {
		records = append(records, printed(r))
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	done := 0
	for range 400 {
		what := damage(t, rng, files)
		if what == "" {
			continue
		}
		done++
		at := 0
		_, err := verify(t, good, Options{Heads: []Head{head}, Each: func(_ File, r *Record) error {
			if at >= len(records) || printed(r) != records[at] {
				t.Errorf("%s: record %d was never written: %+v", what, at+1, *r)
			}
			at++
			return nil
		}})
		if !isBreak(err) {
			t.Errorf("%s: %v", what, err)
		}
		if what, _, _ := strings.Cut(err.Error(), ","); !strings.Contains(what, ".jsonl") {
			t.Errorf("the error names no file: %v", err)
		}
		for path, text := range texts {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if done < 250 {
		t.Errorf("only %d changes were made", done)
	}
}

// TestCutTail: a cut end shows by a head that somebody heard, and by nothing else.
func TestCutTail(t *testing.T) {
	t.Parallel()
	dir, head := filled(t, 40)
	files := must(Files(dir))
	last := files[len(files)-1].Path
	text := must(os.ReadFile(last))
	for lines := bytes.Count(text, []byte("\n")); lines > 1; lines-- {
		text = text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
		if err := os.WriteFile(last, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := verify(t, dir, Options{}); err != nil {
			t.Errorf("without a head: %v", err)
		}
		if _, err := verify(t, dir, Options{Heads: []Head{head}}); !isBreak(err) || !strings.Contains(err.Error(), "cut") {
			t.Errorf("with a head: %v", err)
		}
	}
	// Begun again after the cut, as long as before, it is another log.
	w := open(t, dir, maxFile)
	for i := range 40 {
		w.Append(sample(100 + i))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, dir, Options{}); err != nil {
		t.Errorf("without a head: %v", err)
	}
	if _, err := verify(t, dir, Options{Heads: []Head{head}}); !isBreak(err) {
		t.Errorf("with a head: %v", err)
	}
}
