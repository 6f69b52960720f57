package pin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

func newPIN(text string) *secret.Bytes { return secret.New([]byte(text)) }

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFile: one PIN, readable by its owner only; no error shows what is in
// the file, and each has the reason PIN and a remedy.
func TestFile(t *testing.T) {
	const digits = "5ec3e7"
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	longest := strings.Repeat(digits+"..", 32)[:maxPIN]
	for _, test := range []struct{ name, path, pin, want string }{
		{"alone", write(t, digits, 0o600), digits, ""},
		{"line end", write(t, digits+"\n", 0o400), digits, ""},
		{"line end of Windows", write(t, digits+"\r\n", 0o600), digits, ""},
		{"spaces within", write(t, digits+" "+digits+"\n", 0o600), digits + " " + digits, ""},
		{"a leading blank", write(t, " "+digits+"\n", 0o600), "", "begins or ends with a blank"},
		{"a trailing blank", write(t, digits+" \n", 0o600), "", "begins or ends with a blank"},
		{"quotes", write(t, `"`+digits+`"`, 0o600), "", "quotes"},
		{"a comment behind", write(t, digits+" # of node 0\n", 0o600), "", "comment"},
		{"a comment above", write(t, "# node 0\n"+digits+"\n", 0o600), "", "more than one line"},
		{"a byte-order mark", write(t, "\ufeff"+digits, 0o600), "", "sed -i"},
		{"UTF-16", write(t, "\xff\xfe5\x00e\x00", 0o600), "", "iconv"},
		{"longest", write(t, longest+"\r\n", 0o600), longest, ""},
		{"too long", write(t, longest+"1", 0o600), "", "more than 255 bytes"},
		{"much too long", write(t, strings.Repeat(longest, 99), 0o600), "", "larger than 257 bytes"},
		{"two lines", write(t, digits+"\n"+digits, 0o600), "", "more than one line"},
		{"two line ends", write(t, digits+"\n\n", 0o600), "", "more than one line"},
		{"a zero byte", write(t, digits+"\x00", 0o600), "", "NUL"},
		{"empty", write(t, "", 0o600), "", "is empty"},
		{"an empty line", write(t, "\n", 0o600), "", "is empty"},
		{"for the group", write(t, digits, 0o640), "", "chmod 600"},
		{"for all", write(t, digits, 0o604), "", "chmod 600"},
		{"missing", filepath.Join(t.TempDir(), "none"), "", "write the PIN into pin_file"},
		{"a directory", t.TempDir(), "", "not a regular file"},
		{"a pipe without a writer", fifo, "", "not a regular file"},
	} {
		pin, err := File(test.path)(t.Context())
		switch {
		case test.want == "" && (err != nil || string(pin.Expose()) != test.pin):
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || pin != nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		case test.want != "" && !errors.As(err, new(*secret.FileError)):
			t.Errorf("%s: no remedy in %v", test.name, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), digits) {
			t.Errorf("%s: the error shows the PIN: %v", test.name, err)
		}
	}
}

// TestSourcesGiveCopies: what a login wipes is not what the source keeps.
func TestSourcesGiveCopies(t *testing.T) {
	asked := 0
	typed := &Typed{Ask: func(context.Context) (*secret.Bytes, error) { asked++; return newPIN("1234"), nil }}
	for name, source := range map[string]Source{"literal": Literal(newPIN("1234")), "typed": typed.PIN} {
		for range 3 {
			pin, err := source(t.Context())
			if err != nil || string(pin.Expose()) != "1234" {
				t.Fatalf("%s: %q, %v", name, pin.Expose(), err)
			}
			pin.Wipe()
		}
	}
	kept := typed.pin.Expose()
	typed.Forget()
	if _, err := typed.PIN(t.Context()); err != nil || asked != 2 || string(kept) != "\x00\x00\x00\x00" {
		t.Errorf("asked %d times, %v, %q is left", asked, err, kept)
	}
}

// TestTypedAsksAgainAfterAFailure: only an answer is remembered.
func TestTypedAsksAgainAfterAFailure(t *testing.T) {
	answers := []error{errors.New("no terminal"), nil}
	typed := &Typed{Ask: func(context.Context) (*secret.Bytes, error) {
		err := answers[0]
		answers = answers[1:]
		return newPIN("1"), err
	}}
	if _, err := typed.PIN(t.Context()); err == nil {
		t.Error("the failure was not reported")
	}
	if pin, err := typed.PIN(t.Context()); err != nil || string(pin.Expose()) != "1" {
		t.Error(err)
	}
}

// TestPromptNeedsATerminal: a question to a file is an error at once. The
// terminal itself is in test/e2e, with a real one.
func TestPromptNeedsATerminal(t *testing.T) {
	f, err := os.Open(write(t, "1234\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out strings.Builder
	if pin, err := Prompt(f, &out, "PIN: ")(t.Context()); err == nil || pin != nil || out.Len() > 0 {
		t.Errorf("%v, said %q", err, out.String())
	}
	if IsTerminal(f) {
		t.Error("a file was taken for a terminal")
	}
}

// FuzzParse: what is taken is the text, on one line and in bounds, and is taken
// again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1234", "1234\n", "\r\n", "a\r\nb", "\x00", strings.Repeat("1", maxPIN+1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pin, err := Parse(text)
		if err != nil {
			if pin != nil {
				t.Fatal("a PIN beside an error")
			}
			return
		}
		got := pin.Expose()
		again, err := Parse(got)
		if len(got) == 0 || len(got) > maxPIN || string(got) != string(text) || err != nil || string(again.Expose()) != string(got) {
			t.Fatalf("%q from %q, then %v", got, text, err)
		}
	})
}
