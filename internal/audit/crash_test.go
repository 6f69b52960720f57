package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const crashDir = "FROSTFLEET_TEST_AUDIT_DIR"

// TestMain lets this binary be the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

func appendForEver(dir string) {
	w, err := Open(config(dir))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	told := Head{}
	for i := 0; ; i++ {
		w.Append(sample(i))
		time.Sleep(100 * time.Microsecond)
		if head := w.Head(); head != told {
			told = head
			fmt.Println(head)
		}
	}
}

// TestKill: after SIGKILL a log holds every record that its head was told of, verifies, and
// goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var heads []Head
	for range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		heard := 0
		for lines := bufio.NewScanner(out); lines.Scan(); heard++ {
			head, err := ParseHead(lines.Text())
			if err != nil {
				t.Fatalf("child: %s", lines.Text())
			}
			heads = append(heads, head)
			if heard == 2 {
				_ = child.Process.Kill()
			}
		}
		_ = child.Wait()
		if heard < 2 {
			t.Fatal("the child ended unasked")
		}
		sum, err := verify(t, dir, Options{Heads: heads})
		if err != nil {
			t.Fatalf("%+v, %v", sum, err)
		}
	}
}

// TestTorn: what a power cut left at the end stays there, and the log goes on in another
// file that says so. Whoever changes that end later breaks the chain.
func TestTorn(t *testing.T) {
	t.Parallel()
	good, head := filled(t, 40)
	files := must(Files(good))
	lastGood := files[len(files)-1]
	whole := must(os.ReadFile(lastGood.Path))
	second := bytes.IndexByte(whole, '\n') + 1
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 40 {
		dir := t.TempDir()
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Path)), must(os.ReadFile(f.Path)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, filepath.Base(lastGood.Path))
		text := bytes.Clone(whole)
		cut := second + rng.IntN(len(whole)-second) // the first line was on the disk before the file had its name
		switch round % 3 {
		case 0: // the rest was not written
			text = text[:cut]
		case 1: // blocks of the rest were not
			clear(text[cut:])
		case 2: // a block in between was not
			clear(text[cut:min(cut+100, len(text))])
		}
		if bytes.Equal(text, whole) || text[len(text)-1] == '\n' && round%3 == 0 {
			continue // a cut between two lines is none that shows
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		w := open(t, dir, maxFile)
		w.Append(sample(1000))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if now := must(os.ReadFile(path)); !bytes.Equal(now, text) {
			t.Errorf("round %d: the end was changed", round)
		}
		last := ""
		sum, err := verify(t, dir, Options{Each: func(_ File, r *Record) error { last = r.Job; return nil }})
		if err != nil || len(sum.Torn) != 1 || sum.Torn[0].File != path || last != "job-1000" {
			t.Errorf("round %d: %+v, %v", round, sum, err)
		}
		if sum, err := verify(t, dir, Options{Heads: []Head{head}}); !isBreak(err) {
			t.Errorf("round %d: a head that was told of is not there, and it verifies: %+v", round, sum)
		}
		if err := os.WriteFile(path, append(text, 'x'), 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := verify(t, dir, Options{}); !isBreak(err) {
			t.Errorf("round %d: an end that was changed later verifies: %+v", round, sum)
		}
		if err := os.WriteFile(path, text[:second], 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := verify(t, dir, Options{}); !isBreak(err) {
			t.Errorf("round %d: an end that was removed later verifies: %+v", round, sum)
		}
	}
}

// TestUnfinished: the last line of a log may be one that is being written.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	dir, head := filled(t, 10)
	files := must(Files(dir))
	f, err := os.OpenFile(files[len(files)-1].Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"v":1,"seq":`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	sum, err := verify(t, dir, Options{Heads: []Head{head}})
	if err != nil || sum.Unfinished == nil || sum.Unfinished.Bytes != 13 || sum.Last != head {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestFirstLineGone: a log whose last file does not begin as one is not gone on with.
func TestFirstLineGone(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 40)
	files := must(Files(dir))
	last := files[len(files)-1].Path
	for _, text := range []string{"", "x", "{}\n", strings.Repeat("x", 2*MaxLine)} {
		if err := os.WriteFile(last, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if w, err := Open(config(dir)); err == nil || !strings.Contains(err.Error(), filepath.Base(last)) {
			t.Errorf("%.20q: %v, %v", text, w, err)
		}
		if _, err := verify(t, dir, Options{}); !isBreak(err) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// TestDiskFull: while the disk takes nothing records wait, Err says so, and when memory is
// full there is no Room and what is left out is counted in the log itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWriter(config(dir))
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	path, good := w.file.Name(), w.file
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.file = full
	go w.run()
	w.Append(sample(0))
	for w.Err() == nil { // the write fails a moment later
	}
	for i := range maxQueue + 10 {
		w.Append(sample(1 + i))
		if _, waiting, _ := w.Stats(); w.Room() != (waiting < fullQueue) {
			t.Fatalf("room with %d records waiting: %t", waiting, w.Room())
		}
	}
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "no space") || !strings.Contains(err.Error(), "nothing is signed") {
		t.Errorf("%v", err)
	}
	if head := w.Head(); head.Seq != 1 {
		t.Errorf("its head is %s", head)
	}
	_, _, lost := w.Stats()
	if err := w.Close(); err == nil {
		t.Error("closed as if all were written")
	}
	// The same with a disk that has room again.
	again := newWriter(config(dir))
	again.file, again.head, again.number = good, *w.synced.Load(), 1
	r := sample(0)
	r.By = "worker-0"
	again.queue, again.lost = []Record{r}, lost
	if err := again.settle(); err != nil {
		t.Fatal(err)
	}
	sum, err := verify(t, dir, Options{Heads: []Head{again.Head()}})
	if err != nil || lost == 0 || sum.Lost != lost || sum.Records != 3 {
		t.Errorf("%s: lost %d: %+v, %v", path, lost, sum, err)
	}
}

// TestPartialWrite: a write that the disk took half of is gone on with where it stopped.
func TestPartialWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWriter(config(dir))
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.letGo()
	r := sample(0)
	r.By = "worker-0"
	w.queue = []Record{r, r}
	w.next()
	w.take()
	whole := bytes.Clone(w.pending)
	if _, err := w.file.Write(whole[:700]); err != nil {
		t.Fatal(err)
	}
	w.pending = w.pending[700:] // as flush leaves it
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if sum, err := verify(t, dir, Options{Heads: []Head{w.Head()}}); err != nil || sum.Records != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestSyncFails: the head is that of what the disk holds.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	w := newWriter(config(t.TempDir()))
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.letGo()
	before := w.Head()
	good := w.file
	w.file = must(os.OpenFile(os.DevNull, os.O_WRONLY, 0))
	_ = w.file.Close()
	w.queue = []Record{sample(0)}
	if err := w.settle(); !errors.Is(err, os.ErrClosed) || w.Head() != before {
		t.Errorf("%v, head %s", err, w.Head())
	}
	w.file = good
	if err := w.settle(); err != nil || w.Head().Seq != 2 {
		t.Errorf("%v, head %s", err, w.Head())
	}
}

// TestGone: a log that is removed while it is written makes the program say so.
func TestGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWriter(config(dir))
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.letGo()
	path := w.file.Name()
	w.Append(sample(0))
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	w.Append(sample(1))
	if err := w.settle(); !errors.Is(err, errGone) || w.Head().Seq != 2 {
		t.Errorf("%v, head %s", err, w.Head())
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if sum, err := verify(t, dir, Options{Heads: []Head{w.Head()}}); err != nil || sum.Records != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
}
