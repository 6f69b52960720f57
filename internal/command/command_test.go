package command

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestSentenceOfOthers: what a gateway says of a job does not work the terminal.
func TestSentenceOfOthers(t *testing.T) {
	err := errors.Join(errors.New("job 1: refused: \x1b]0;title\x07\x1b[2Jall is w\u009bell\r"), errors.New("naïve"))
	if got, want := Sentence(err), "job 1: refused: ]0;title[2Jall is well\nnaïve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSentence: each error as the libraries make it, wrapped as callers do.
func TestSentence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var into struct {
		Count int      `json:"count"`
		Name  string   `json:"name"`
		List  []string `json:"list"`
	}
	decode := func(text string) error { return json.Unmarshal([]byte(text), &into) }
	_, missing := os.Open(filepath.Join(dir, "none"))
	_, isDirectory := os.ReadFile(dir)
	_, under := os.Open(filepath.Join(file, "x"))
	_, exists := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
	_, notHex := hex.DecodeString("0g")
	_, odd := hex.DecodeString("abc")
	_, number := strconv.Atoi("1.0")
	_, refused := net.DialTimeout("tcp", closedPort(t), time.Minute)
	taken := listenTwice(t)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{missing, dir + "/none: no such file or directory: check the path"},
		{isDirectory, dir + " is a directory: name a file"},
		{under, file + "/x: not a directory: name one, or move the file away"},
		{exists, file + " exists and is not overwritten: name another, or move it away"},
		{&fs.PathError{Op: "open", Path: "key", Err: fs.ErrPermission}, "key: this user may not open it: check its owner and mode"},
		{notHex, "'g' is not a hexadecimal digit (two digits a byte, without 0x)"},
		{odd, "an odd number of hexadecimal digits (there are two a byte)"},
		{number, `"1.0" is not a number in range`},
		{decode(`{"count":1.0}`), `field "count" is 1.0, want a whole number, written without point or exponent`},
		{decode(`{"count":99999999999999999999}`), `field "count" is 99999999999999999999, want a whole number, written without point or exponent`},
		{decode(`{"count":"1"}`), `field "count" is a JSON string, want a whole number, written without point or exponent`},
		{decode(`{"name":1}`), `field "name" is a JSON number, want a string`},
		{decode(`{"list":{}}`), `field "list" is a JSON object, want a list`},
		{decode(`[]`), `it is a JSON array, want an object`},
		{decode(`hello`), "it is not JSON, at byte 1"},
		{decode(``), "it is not JSON: it is empty or cut off"},
		{io.EOF, "it ends too early: it is empty or cut off"},
		{io.ErrUnexpectedEOF, "it ends too early: it is empty or cut off"},
		{context.DeadlineExceeded, "timed out"},
		{context.Canceled, "interrupted"},
		{refused, "nothing listens at " + addr(refused) + ": check the address, and that the server runs"},
		{taken, "another program listens at " + addr(taken) + " already: stop it, or use another port"},
		{errors.New("nats: no servers available for connection"), "no NATS server answers"}, // natsconn says what to do
		{errors.New("http: server gave HTTP response to HTTPS client"), "the server does not speak TLS: set it up there, or use " +
			"http:// on this machine"},
		{errors.New("nats: timeout"), "the NATS server did not answer in time"},
		{errors.New(`json: unknown field "massage"`), `unknown field "massage"`},
		{errors.New("as it is"), "as it is"},
	} {
		if tt.err == nil {
			t.Fatalf("no error for %q", tt.want)
		}
		if got := Sentence(tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
		wrapped := fmt.Errorf("manifest m.json: %w", errors.Join(errors.New("first"), fmt.Errorf("then: %w (twice)", tt.err)))
		if got, want := Sentence(wrapped), "manifest m.json: first\nthen: "+tt.want+" (twice)"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// A name is not taken for the words of a library.
	if got := Sentence(fmt.Errorf("file EOF.txt: %w", io.EOF)); got != "file EOF.txt: it ends too early: it is empty or cut off" {
		t.Error(got)
	}
}

func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func listenTwice(t *testing.T) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again, err := net.Listen("tcp", l.Addr().String())
	if err == nil {
		again.Close()
	}
	return err
}

func addr(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) {
		return "?"
	}
	return op.Addr.String()
}

func TestExitCode(t *testing.T) {
	own := errors.New("own")
	rows := []Exit{{Code: 7, Meaning: "own", Is: func(err error) bool { return errors.Is(err, own) }}}
	for want, err := range map[int]error{
		0: nil, CodeError: io.EOF, CodeUsage: Usage(own), 7: fmt.Errorf("%w: %w", own, context.Canceled), CodeInterrupted: context.Canceled,
	} {
		if got := ExitCode(err, rows); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		stamped string
		info    *debug.BuildInfo
		want    string
	}{
		{"v1.2.3", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "v1.2.3"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "v1.0.0"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "unversioned"},
		{"", nil, "unversioned"},
	} {
		if got := describe(tt.stamped, tt.info); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestSuggestion: a misspelt command is answered with the one that is near, also
// if flags follow that it would have.
func TestSuggestion(t *testing.T) {
	root := &cobra.Command{Use: "program"}
	group := &cobra.Command{Use: "fleet"}
	run := func(*cobra.Command, []string) error { return nil }
	group.AddCommand(&cobra.Command{Use: "init DIR", RunE: run, Args: cobra.ExactArgs(1)}, &cobra.Command{Use: "manifest", RunE: run})
	root.AddCommand(group)
	prepare(root, nil)
	for args, want := range map[string]string{
		"inti": `program fleet has no command "inti": try init`, "foo": `program fleet has no command "foo": try init, manifest`,
		"inti --nodes 3": `program fleet has no command "inti": try init`, "--nodes": "unknown flag: --nodes",
		"init": "too few or too many arguments", "init a b": "too few or too many arguments",
	} {
		root.SetArgs(append([]string{"fleet"}, strings.Fields(args)...))
		if err := root.Execute(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
