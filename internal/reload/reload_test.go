package reload

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// stand is a reloader of one thing of two files, in a bubble where only the clock is not
// real. The thing wants two files that say the same, and no "bad".
type stand struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex
	lines strings.Builder
	taken []string // texts that came into force
	asked chan struct{}
	r     *Reloader
}

func begin(t *testing.T, dir string) *stand {
	s := &stand{t: t, dir: dir, asked: make(chan struct{})}
	file := func(name string) secret.File {
		return secret.File{What: "file", Path: filepath.Join(dir, name), Max: 100, Public: true}
	}
	s.r = New(slog.New(slog.NewTextHandler(s, nil)), Thing{Name: "pair", Files: []secret.File{file("a"), file("b")}, Take: s.take})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); Run(ctx, s.r, s.asked) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return s
}

// Write is the log's.
func (s *stand) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.Write(p)
}

func (s *stand) take(texts [][]byte) (Taken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := string(texts[0]), string(texts[1])
	if a != b {
		return Taken{}, errors.New("they differ: " + a + ", " + b)
	}
	if strings.HasPrefix(a, "bad") {
		return Taken{}, errors.New(a)
	}
	var t Taken
	if len(s.taken) == 0 || s.taken[len(s.taken)-1] != a {
		s.taken, t.Changed, t.Grave = append(s.taken, a), []string{"it is " + a}, a == "grave"
	}
	if a == "odd" {
		t.Warnings = []string{"that is odd"}
	}
	return t, nil
}

func (s *stand) put(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) both(text string) { s.t.Helper(); s.put("a", text); s.put("b", text) }

func (s *stand) looks(n int) { time.Sleep(time.Duration(n) * every); synctest.Wait() }

func (s *stand) ask() { s.asked <- struct{}{}; synctest.Wait() }

// want compares what came into force, the log's new lines and why the files are refused.
func (s *stand) want(what, taken, line, refused string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := ""
	if e := s.r.Err(); e != nil {
		err = e.Error()
	}
	got := s.lines.String()
	if strings.Join(s.taken, " ") != taken || !strings.Contains(got, line) || line == "" && got != "" ||
		!strings.Contains(err, refused) || refused == "" && err != "" {
		s.t.Fatalf("%s: in force %q, log %q, refused %q\nwant %q, %q, %q", what, s.taken, got, err, taken, line, refused)
	}
	var said bool
	s.r.Each(func(name string, is bool) { said = is && name == "pair" })
	if said != (err != "") {
		s.t.Fatalf("%s: the metric says %v", what, said)
	}
	s.lines.Reset()
}

func bubble(t *testing.T, f func(t *testing.T, dir string)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { f(t, dir) })
}

// TestReload: a change is taken once it stands still, or when somebody asks; a bad one
// is said once, with since when, and what was in force stays.
func TestReload(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		first := &stand{t: t, dir: dir}
		first.both("one")
		s := begin(t, dir)
		s.want("at first", "one", `level=INFO msg=reloaded what=pair`, "")
		s.both("two")
		s.looks(1)
		s.want("just changed", "one", "", "")
		s.both("") // truncated, as an editor does before it writes
		s.looks(1)
		s.both("two and a half")
		s.looks(1)
		s.want("still changing", "one", "", "")
		s.looks(1)
		s.want("stands still", "one two and a half", `changed="it is two and a half"`, "")
		s.looks(9)
		s.want("unchanged", "one two and a half", "", "")

		s.put("a", "grave") // a certificate before its key
		s.looks(1)
		s.put("b", "grave")
		s.looks(2)
		s.want("one after the other", "one two and a half grave", `level=WARN msg=reloaded`, "")
		s.put("a", "new")
		s.looks(2)
		since := time.Now().UTC().Format(time.RFC3339)
		s.want("half of a set", "one two and a half grave", `level=ERROR msg="not reloaded: what was in force stays`,
			"pair: refused since "+since+", and the one from before is in force: they differ: new, grave")
		s.looks(5)
		s.want("said once", "one two and a half grave", "", "since "+since)
		s.both("bad")
		s.looks(2)
		s.want("bad otherwise", "one two and a half grave", "err=bad",
			"since "+since+", and the one from before is in force: bad")
		s.ask()
		s.want("bad, and somebody asks", "one two and a half grave", "err=bad", "since "+since)
		s.both("grave")
		s.looks(2)
		s.want("taken back", "one two and a half grave", `good again, and as what is in force`, "")

		s.both("odd")
		s.ask()
		s.want("at once", "one two and a half grave odd", `level=WARN msg="that is odd"`, "")
		s.ask()
		s.want("asked again", "one two and a half grave odd", `level=WARN msg="that is odd"`, "")
		s.both("end")
		s.ask()
		s.want("the end", "one two and a half grave odd end", "reloaded", "")
		s.ask()
		s.want("asked for nothing", "one two and a half grave odd end", `asked to reload: nothing has changed`, "")
	})
}

// TestAlso: a change of a file that another one names is judged, too, also one that is gone.
func TestAlso(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		s := &stand{t: t, dir: dir}
		s.both("one")
		file := func(name string) secret.File {
			return secret.File{What: "file", Path: filepath.Join(dir, name), Max: 100, Public: true}
		}
		taken := 0
		r := New(slog.New(slog.DiscardHandler), Thing{
			Name: "named", Files: []secret.File{file("a")},
			Also: func() []secret.File { return []secret.File{file("b")} },
			Take: func(texts [][]byte) (Taken, error) { taken++; return Taken{}, nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go Run(ctx, r, make(chan struct{}))
		synctest.Wait()
		want := func(what string, n int) {
			t.Helper()
			s.looks(3)
			if taken != n || r.Err() != nil {
				t.Errorf("%s: taken %d times, want %d: %v", what, taken, n, r.Err())
			}
		}
		want("at first", 1)
		s.put("b", "two")
		want("changed", 2)
		if err := os.Remove(filepath.Join(dir, "b")); err != nil {
			t.Fatal(err)
		}
		want("gone", 3)
	})
}

// TestGone: files that are gone, or that nobody may read, change nothing; they are named.
// While another name takes their place, a moment of absence is not said.
func TestGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		(&stand{t: t, dir: dir}).both("one")
		s := begin(t, dir)
		s.want("at first", "one", "reloaded", "")
		b := filepath.Join(dir, "b")
		if err := os.Remove(b); err != nil {
			t.Fatal(err)
		}
		s.looks(1)
		s.want("gone for a moment", "one", "", "")
		s.looks(1)
		s.want("gone", "one", "no such file", b)
		s.looks(3)
		s.want("gone for long", "one", "", b)
		s.put("b", strings.Repeat("x", 101))
		s.looks(2)
		s.want("too large", "one", "larger than 100 bytes", b)
		s.put("b", "\x00")
		s.looks(2)
		s.want("no text", "one", "level=ERROR", b)
		s.put("b", "one")
		s.looks(2)
		s.want("back", "one", "good again", "")
	})
}

// TestWaysToReplace: by writing in place, by renaming, and by turning the link of a
// Kubernetes volume; whatever the files' times say.
func TestWaysToReplace(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		at := func(name string) string { return filepath.Join(dir, name) }
		release := func(name, text string) {
			t.Helper()
			must(os.Mkdir(at(name), 0o700))
			for _, file := range []string{"a", "b"} {
				must(os.WriteFile(filepath.Join(at(name), file), []byte(text), 0o600))
				must(os.Chtimes(filepath.Join(at(name), file), time.Unix(0, 0), time.Unix(0, 0)))
			}
			must(os.Symlink(name, at("..data_tmp")))
			must(os.Rename(at("..data_tmp"), at("..data")))
		}
		release("..1", "one")
		must(os.Symlink("..data/a", at("a")))
		must(os.Symlink("..data/b", at("b")))
		s := begin(t, dir)
		s.want("at first", "one", "reloaded", "")
		release("..2", "two")
		s.looks(2)
		s.want("another release", "one two", "reloaded", "")
		must(os.RemoveAll(at("..1")))
		for _, file := range []string{"a", "b"} {
			must(os.WriteFile(at("new"), []byte("six"), 0o600))
			must(os.Chtimes(at("new"), time.Unix(0, 0), time.Unix(0, 0)))
			must(os.Rename(at("new"), at(file)))
		}
		s.looks(2)
		s.want("renamed", "one two six", "reloaded", "")
		s.both("in place")
		s.looks(2)
		s.want("in place", "one two six in place", "reloaded", "")
	})
}

// TestTriedAgain: what is refused is tried again, as the reason may be elsewhere.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "a")
		if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		tries, fails := 0, errors.New("not yet")
		r := New(slog.New(slog.DiscardHandler), Thing{
			Name: "a", Files: []secret.File{{What: "file", Path: path, Max: 10, Public: true}},
			Take: func([][]byte) (Taken, error) {
				mu.Lock()
				defer mu.Unlock()
				tries++
				return Taken{}, fails
			},
		})
		go Run[int](t.Context(), r, nil)
		time.Sleep(5*every + every/2)
		mu.Lock()
		if tries != 6 || r.Err() == nil {
			t.Errorf("tried %d times, %v", tries, r.Err())
		}
		fails = nil
		mu.Unlock()
		time.Sleep(5 * every)
		mu.Lock()
		defer mu.Unlock()
		if tries != 7 || r.Err() != nil {
			t.Errorf("tried %d times, %v", tries, r.Err())
		}
	})
}

// TestWiped: no text stays after it was judged.
func TestWiped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	var kept []byte
	r := New(slog.New(slog.DiscardHandler), Thing{Name: "a", Files: []secret.File{{Path: path, Max: 10}},
		Take: func(texts [][]byte) (Taken, error) { kept = texts[0]; return Taken{}, nil }})
	r.look(false, true)
	if string(kept) != "\x00\x00\x00\x00" {
		t.Errorf("kept %q", kept)
	}
}
