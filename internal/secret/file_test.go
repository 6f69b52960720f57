package secret

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// content writes a file of mode 0600.
func content(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// within fails a test whose read waits: of a pipe without a writer, for ever.
func within[T any](t *testing.T, read func() (T, error)) (T, error) {
	t.Helper()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(time.Minute):
		t.Fatal("still reading after a minute")
		panic("not reached")
	}
}

// TestFileKinds: what is no private regular file is refused, by name, with the
// command that fixes it, and nothing of it is read.
func TestFileKinds(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("s3cret"), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(make("linked", 0o644), link); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("s3cret"), 20), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		make("owner", 0o600):       "",
		make("read-only", 0o400):   "",
		make("all", 0o700):         "",
		make("world", 0o644):       "has mode 0644, which gives others access: chmod 600 " + dir + "/world",
		make("group", 0o640):       "has mode 0640",
		make("group alone", 0o660): "chmod 600 '" + dir + "/group alone'",
		make("writable", 0o602):    "has mode 0602",
		make("it's", 0o604):        `chmod 600 '` + dir + `/it'\''s'`,
		link:                       "has mode 0644",
		large:                      "is larger than 100 bytes",
		fifo:                       "is not a regular file",
		dir:                        "is a directory",
		dir + "/none":              "no such file",
		dir + "/socket":            "cannot be opened",
		"/dev/null":                "is not a regular file",
	} {
		got, err := within(t, File{What: "test file", Path: path, Max: 100}.Bytes)
		switch {
		case want == "" && (err != nil || string(got.Expose()) != "s3cret"):
			t.Errorf("%s: %q, %v", path, got.Expose(), err)
		case want != "" && (err == nil || got != nil || !strings.Contains(err.Error(), "test file "+path) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := (File{Path: dir + "/none"}).Bytes(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	if _, err := (File{Path: make("public", 0o644), Max: 10, Public: true}).Bytes(); err != nil {
		t.Error(err)
	}
	if _, err := within(t, File{Path: fifo, Max: 10, Public: true}.Bytes); err == nil {
		t.Error("a public pipe is read")
	}
}

// TestCredentials: what systemd passes to a unit with User= is root's, of mode 0440
// by the mask of its ACL, and is read. Nothing else is, there or elsewhere.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir+"/")
	for path, mode := range map[string]fs.FileMode{
		dir + "/pin": 0o440, dir + "/all": 0o444, dir + "/shared": 0o640, dir + "/deeper/pin": 0o440, t.TempDir() + "/pin": 0o440,
	} {
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("s3cret"), 0o600), os.Chmod(path, mode))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (File{What: "pin_file", Path: path, Max: 10}).Line(); (err == nil) != (path == dir+"/pin") {
			t.Errorf("%s of mode %04o: %v", path, mode, err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := (File{Path: dir + "/pin", Max: 10}).Line(); err == nil {
		t.Error("mode 0440 is taken without systemd")
	}
}

// kinds of text that editors, shells and other programs leave in a file.
var texts = map[string]string{ // content: part of the error, "" for none
	"s3cret": "", "s3cret\n": "", "s3cret\r\n": "", "two words": "", "#1": "", "a#b": "", "1\"2": "", "ÄÖ": "", "\"": "",
	"":                              "is empty",
	"\n":                            "is empty",
	"s3cret\n\n":                    "more than one line",
	"# s3cret\n":                    "holds a comment",
	"s3cret # of the token":         "holds a comment",
	"s3cret\n# of the token\n":      "more than one line",
	" s3cret":                       "blank",
	"s3cret ":                       "blank",
	"s3cret \r\n":                   "blank",
	"\ts3cret":                      "blank",
	"s3cret\u00a0":                  "blank",
	"s3cret\u200b":                  "cannot be seen",
	"s3\x1bcret":                    "cannot be seen",
	"s3\x7fcret":                    "cannot be seen",
	`"s3cret"`:                      "quotes",
	`'s3cret'`:                      "quotes",
	"“s3cret”":                      "quotes",
	"`s3cret`":                      "quotes",
	"\ufeffs3cret":                  "byte-order mark",
	"\xff\xfes\x003\x00c\x00":       "UTF-16",
	"\xfe\xff\x00s\x003\x00c":       "UTF-16",
	"s\x003\x00c\x00r\x00":          "NUL",
	"s3cret\x00":                    "NUL",
	"s3cret\xe4":                    "not UTF-8",
	strings.Repeat("s3cret", 5):     "more than 29 bytes",
	strings.Repeat("s3cret", 1<<10): "larger than 31 bytes",
}

// TestLine: one line comes out as it is; whatever was added by accident is
// refused with a word for it, and no error shows the secret.
func TestLine(t *testing.T) {
	for text, want := range texts {
		path := content(t, text)
		line, err := File{What: "pin_file", Path: path, Max: 29}.Line()
		if want == "" {
			if err != nil || string(line.Expose()) != strings.TrimRight(text, "\r\n") {
				t.Errorf("%q: %q, %v", text, line.Expose(), err)
			}
			continue
		}
		if err == nil || line != nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "pin_file "+path) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "token")) {
			t.Errorf("%q is repeated: %v", text, err)
		}
		if !errors.As(err, new(*FileError)) {
			t.Errorf("%q: %T", text, err)
		}
	}
}

// TestTextNamesTheCommand: a byte-order mark is told with what removes it.
func TestTextNamesTheCommand(t *testing.T) {
	path := content(t, "\ufeffa = 1\n")
	_, err := File{What: "manifest", Path: path, Max: 99}.Text()
	if !errors.Is(err, ErrText) || !strings.Contains(err.Error(), `sed -i '1s/^\xEF\xBB\xBF//' `+path) {
		t.Error(err)
	}
}

// FuzzLine: what is taken is one printable line, and is the input without its
// line end; parsing it again changes nothing.
func FuzzLine(f *testing.F) {
	for text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line, err := ParseLine(text, 64)
		if err != nil {
			if line != nil {
				t.Fatal("both a value and an error")
			}
			return
		}
		got := line.Expose()
		if len(got) == 0 || len(got) > 64 || !bytes.HasPrefix(text, got) || len(bytes.Trim(text[len(got):], "\r\n")) > 0 {
			t.Fatalf("%q from %q", got, text)
		}
		if again, err := ParseLine(got, 64); err != nil || !bytes.Equal(again.Expose(), got) {
			t.Fatalf("%q is not taken again: %v", got, err)
		}
	})
}
