package jobfile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func good(approvals int) *File {
	f := &File{Head: NewHead("dev", "regtest", [32]byte{1}, "alice"), Payload: `{"job":"<x>"}`}
	for i := range approvals {
		f.Approvals = append(f.Approvals, wire.Approval{Name: fmt.Sprint("a", i), Signature: []byte{byte(i)}})
	}
	return f
}

// TestFile: what is written is read again, and approvals are appended.
func TestFile(t *testing.T) {
	t.Parallel()
	want := good(2)
	text := want.Encode()
	got, err := Parse(text)
	if err != nil || !reflect.DeepEqual(got, want) || !Is(bytes.Split(text, []byte("\n"))[0]) {
		t.Errorf("%+v, %v", got, err)
	}
	third := good(3).Approvals[2]
	if got, err = Parse(append(text, Line(third)...)); err != nil || !reflect.DeepEqual(got, good(3)) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := got.Head.Fits("dev", "regtest", [32]byte{1}); err != nil {
		t.Error(err)
	}
	for _, err := range []error{got.Head.Fits("def", "regtest", [32]byte{1}), got.Head.Fits("dev", "mainnet", [32]byte{1}),
		got.Head.Fits("dev", "regtest", [32]byte{2})} {
		if err == nil {
			t.Error("a job for another fleet fits")
		}
	}
	if err := got.Merge(good(1)); err != nil || len(got.Approvals) != 4 {
		t.Errorf("%d approvals, %v", len(got.Approvals), err)
	}
	other := good(0)
	other.Payload += " "
	bob := good(0)
	bob.Head.Client = "bob"
	elsewhere := good(0)
	elsewhere.Head.Manifest[0]++
	for _, f := range []*File{other, bob, elsewhere} {
		if got.Merge(f) == nil {
			t.Errorf("%+v was merged", f)
		}
	}
}

// TestParseRefuses: what is not such a file, or was cut off.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	text := string(good(1).Encode())
	change := func(old, now string) string { return strings.Replace(text, old, now, 1) }
	for name, tt := range map[string]struct{ text, says string }{
		"empty":         {"", "not a file of a sign job"},
		"a head":        {strings.SplitAfter(text, "\n")[0], "not a file of a sign job"},
		"cut off":       {text[:len(text)-1], "not a file of a sign job"},
		"keygen":        {change(`"sign"`, `"keygen"`), "not a file of a sign job"},
		"newer":         {change(`"version":1`, `"version":2`), "version 2"},
		"no client":     {change(`"alice"`, `"two words"`), "not the name of a client"},
		"unknown field": {change(`{"job":`, `{"more":1,"job":`), "line 2"},
		"two on a line": {change(`"}`+"\n", `"}{}`+"\n"), "line 1"},
		"no approval":   {change(`"signature":"00"`, `"signature":"0"`), "line 3"},
		"a blank line":  {text + "\n", "line 4"},
		"too many":      {string(good(wire.MaxApprovals + 1).Encode()), "more than 16 approvals"},
	} {
		if f, err := Parse([]byte(tt.text)); f != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v; want an error about %q", name, f, err, tt.says)
		}
	}
	if _, err := Parse(good(wire.MaxApprovals).Encode()); err != nil {
		t.Error(err)
	}
}

// FuzzParse: what is read is within bounds, and written again it is the same.
func FuzzParse(f *testing.F) {
	f.Add(good(2).Encode())
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		if !wire.IsToken(file.Head.Client) || len(file.Approvals) > wire.MaxApprovals {
			t.Errorf("%+v", file)
		}
		again, err := Parse(file.Encode())
		if err != nil || !bytes.Equal(again.Encode(), file.Encode()) {
			t.Errorf("%+v, written again: %+v, %v", file, again, err)
		}
	})
}
