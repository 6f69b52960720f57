package audit

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLineIsBounded: whatever a record holds, its line is one that is read.
func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"x", `"`, "\\", "\x01", "\u2028", "ä", "\xff", "<"} {
		long := strings.Repeat(letter, 5000)
		r := Record{
			Event: EventJob, By: long, Client: long, Job: long, Kind: long, Form: long, Digest: long, Session: long,
			Decision: Decision(long), Rule: long, Code: long, Reason: long, Suite: long, Build: long, Policy: long,
			Count: math.MaxInt, Lost: math.MaxUint64, Time: time.Now().UTC(),
		}
		for range 500 {
			r.Nodes = append(r.Nodes, math.MaxInt)
			r.Approved = append(r.Approved, long)
			r.Outflow = append(r.Outflow, Amount{long, math.MaxUint64})
			r.Heads = append(r.Heads, Seen{strings.Repeat("n", 64), Head{Seq: math.MaxUint64}.String()})
		}
		for _, event := range []Event{EventJob, EventHeads} {
			r := r
			r.Event = event
			text, head, err := appendLine(nil, Head{Seq: math.MaxUint64 - 1}, &r, new(bytes.Buffer))
			if err != nil || len(text) > MaxLine {
				t.Errorf("%.1q: a line of %d bytes, %v", letter, len(text), err)
			}
			l, err := parseLine(text[:len(text)-1])
			if err != nil || l.hash != head.Hash {
				t.Fatal(err)
			}
			if _, err := l.decode(new(bytes.Buffer)); err != nil {
				t.Errorf("%.1q: %v", letter, err)
			}
		}
	}
}

// TestOutflowIsCounted: what a line has no room for is counted.
func TestOutflowIsCounted(t *testing.T) {
	t.Parallel()
	r := Record{Event: EventJob, Outflow: make([]Amount, maxAssets+7)}
	r.bound()
	if last := r.Outflow[len(r.Outflow)-1]; last != (Amount{"others", 7}) {
		t.Errorf("%+v", last)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	h := Head{Seq: 17, Hash: [32]byte{1, 2}}
	if got, err := ParseHead(h.String()); err != nil || got != h {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{
		"", "17", ":" + strings.Repeat("0", 64), "17:" + strings.Repeat("0", 62), "-1:" + strings.Repeat("0", 64),
		"017:" + strings.Repeat("0", 64), "17:" + strings.Repeat("g", 64), "18446744073709551616:" + strings.Repeat("0", 64),
	} {
		if _, err := ParseHead(bad); err == nil {
			t.Errorf("%q is a head", bad)
		}
	}
}

// TestOneForm: a record has one form, whoever made it knew the hash that it needs.
func TestOneForm(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"an unknown key":  `{"v":1,"seq":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job","extra":1}`,
		"a key twice":     `{"v":1,"seq":1,"seq":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`,
		"another order":   `{"seq":1,"v":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`,
		"a space":         `{"v":1, "seq":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`,
		"capitals":        `{"v":1,"SEQ":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`,
		"an escape":       `{"v":1,"seq":1,"time":"2026-01-02T03:04:05Z","by":"\u0061","event":"job"}`,
		"another version": `{"v":2,"seq":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`,
		"no object":       `[]`,
	} {
		if r, err := (line{body: []byte(body)}).decode(new(bytes.Buffer)); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	good := `{"v":1,"seq":1,"time":"2026-01-02T03:04:05Z","by":"a","event":"job"}`
	if _, err := (line{body: []byte(good)}).decode(new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
}

// FuzzRead reads any file as the last of a log: there is an error or what encodes to the
// same bytes, and a Writer goes on after the record that is the last for a reader.
func FuzzRead(f *testing.F) {
	dir, _ := filled(f, 3)
	files := must(Files(dir))
	text := must(os.ReadFile(files[0].Path))
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add(append(bytes.Clone(text), "\x00\x00\x00"...))
	f.Add(bytes.Replace(text, []byte(`"count":3`), []byte(`"count":4`), 1))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName(1))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		head, line := Head{}, []byte(nil)
		sum, err := verify(t, dir, Options{Each: func(_ File, r *Record) (err error) {
			copied := *r
			line, head, err = appendLine(line[:0], head, &copied, new(bytes.Buffer))
			again.Write(line)
			return err
		}})
		if err == nil && !bytes.HasPrefix(text, again.Bytes()) {
			t.Errorf("%q is read as %q", text, again.Bytes())
		}
		e, errOpen := findEnd(File{path, 1})
		if err == nil && errOpen != nil {
			t.Errorf("it verifies and can't be opened: %v", errOpen)
		}
		if err == nil && (e.head != sum.Last || (e.torn == nil) != (sum.Unfinished == nil)) {
			t.Errorf("it ends with %+v, and a writer goes on after %+v", sum, e)
		}
		if now := must(os.ReadFile(path)); !bytes.Equal(now, text) {
			t.Error("it was changed")
		}
	})
}

// FuzzLine reads any line.
func FuzzLine(f *testing.F) {
	r := sample(1)
	text, _, err := appendLine(nil, Head{}, &r, new(bytes.Buffer))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text[:len(text)-1])
	f.Fuzz(func(t *testing.T, text []byte) {
		in := newLines(bytes.NewReader(text))
		for {
			text, err := in.read()
			if err == io.EOF || err == errPartial || err == errLong { //nolint:errorlint // they come as they are
				return
			}
			l, err := parseLine(text)
			if err != nil {
				continue
			}
			if r, err := l.decode(new(bytes.Buffer)); err == nil && r.Version != Version {
				t.Errorf("%+v", r)
			}
		}
	})
}

// BenchmarkAppend is what a report costs the goroutine that makes it.
func BenchmarkAppend(b *testing.B) {
	w := open(b, b.TempDir(), maxFile)
	r := sample(1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%500 == 0 { // more than a node makes in the time that a write takes
			b.StopTimer()
			settled(b, w)
			b.StartTimer()
		}
		w.Append(r)
	}
}

// BenchmarkWrite is what a record costs in all, with its line and its hash, on the disk.
func BenchmarkWrite(b *testing.B) {
	w := newWriter(config(b.TempDir()))
	w.maxFile = maxFile
	if err := w.open(); err != nil {
		b.Fatal(err)
	}
	defer w.letGo()
	b.ReportAllocs()
	for b.Loop() {
		w.queue = append(w.queue, sample(1))
		if err := w.drain(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.size)/float64(b.N), "disk-B/op")
}

// BenchmarkVerify is what a record costs whoever verifies it.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	w := open(b, dir, maxFile)
	for i := range 20_000 {
		w.Append(sample(i))
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := verify(b, dir, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/record")
}
