package exit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// same reports whether two files say the same and hold the same shares.
func same(a, b *File) bool {
	return a.Head == b.Head && reflect.DeepEqual(a.Keys, b.Keys) && bytes.Equal(a.Shares.Expose(), b.Shares.Expose())
}

// TestSealAndOpen: a file comes back as it was, at the ceremony and nowhere else, and no
// two files of the same are alike.
func TestSealAndOpen(t *testing.T) {
	f, i := batches(t, "regtest", 3)[1], ceremony(t)
	var before []byte
	for range 2 {
		sealed, err := f.Seal(i.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		back, err := Open(sealed, i)
		if err != nil || !same(f, back) {
			t.Fatalf("%v: %+v, want %+v", err, back, f)
		}
		if bytes.Equal(sealed, before) {
			t.Error("encrypted twice, and alike")
		}
		before = sealed
		if _, err := Open(sealed, ceremony(t)); !errors.Is(err, ErrRecipient) {
			t.Errorf("with another ceremony's key: %v", err)
		}
	}
}

// TestAgeReadsIt: with the ceremony's file and age alone, as its own program reads them.
func TestAgeReadsIt(t *testing.T) {
	f, i := batches(t, "regtest", 1)[0], ceremony(t)
	sealed, err := f.Seal(i.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(i.File().Expose()))
	if err != nil {
		t.Fatal(err)
	}
	in, err := age.Decrypt(bytes.NewReader(sealed), identities...)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"format":"frostfleet-exit","version":1,"fleet":"test","network":"regtest","manifest":"010203`
	if !bytes.HasPrefix(plain, []byte(head)) || bytes.Count(plain[:len(plain)-64], []byte("\n")) != 3 ||
		!bytes.HasSuffix(plain, f.Shares.Expose()) {
		t.Errorf("%q", plain)
	}
}

// TestChangedFiles: whatever bit is changed, and wherever a file is cut, nothing comes of it.
func TestChangedFiles(t *testing.T) {
	f, i := batches(t, "regtest", 200)[0], ceremony(t) // more than one of age's chunks
	sealed, err := f.Seal(i.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) < 2<<16 {
		t.Fatalf("%d bytes: one chunk", len(sealed))
	}
	refused := func(what string, changed []byte) {
		if got, err := Open(changed, i); err == nil || got != nil {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	for at := 0; at < len(sealed); at += 1 + at/20 {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		refused(fmt.Sprint("bit of byte ", at), changed)
	}
	header := bytes.Index(sealed, []byte("\n--- ")) + 49
	for _, size := range []int{0, 1, header, header + 16, header + 16 + 1<<16 + 16, len(sealed) - 1, len(sealed) - 17} {
		refused(fmt.Sprint("cut at ", size), sealed[:size])
	}
	refused("one more byte", append(bytes.Clone(sealed), 0))
}

// TestRecipients: one form, and no error repeats a private key.
func TestRecipients(t *testing.T) {
	i := ceremony(t)
	r, err := ParseRecipient(i.Recipient().String())
	if err != nil || r.String() != i.Recipient().String() || r.Fingerprint() != i.Recipient().Fingerprint() {
		t.Fatalf("%v, %v", r, err)
	}
	known, err := ParseRecipient("age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z")
	if err != nil || known.Fingerprint() != knownFingerprint {
		t.Errorf("fingerprint %q, %v", known.Fingerprint(), err)
	}
	private := ""
	for line := range strings.Lines(string(i.File().Expose())) {
		private = strings.TrimSpace(line)
	}
	for _, bad := range []string{"", "age1", r.String() + "q", strings.ToUpper(r.String()), " " + r.String(), private} {
		if _, err := ParseRecipient(bad); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %s", i, i, i); strings.Contains(text, "AGE") {
		t.Error("an identity prints")
	}
	back, err := ParseIdentity(i.File().Expose())
	if err != nil || back.Recipient() != i.Recipient() && back.Recipient().String() != r.String() {
		t.Errorf("read as %v, %v", back, err)
	}
	for _, bad := range []string{"", "#\n", r.String(), private[:40], "x\n" + private} {
		if _, err := ParseIdentity([]byte(bad)); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("identity %q: %v", bad, err)
		}
	}
}

// of "printf %s age1lvyv... | sha256sum", its first 32 digits.
const knownFingerprint = "ce94 50df dff5 9e9d 7b18 b35c e379 d01e"

// change is one to the plain text of a file.
type change func(plain []byte) []byte

func replace(old, new string) change {
	return func(plain []byte) []byte { return bytes.Replace(plain, []byte(old), []byte(new), 1) }
}

// TestDecodeRefuses: what is not in form.
func TestDecodeRefuses(t *testing.T) {
	f := batches(t, "regtest", 2)[0]
	good, err := f.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(bytes.Clone(good.Expose())); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change
		want error
	}{
		"empty":            {func([]byte) []byte { return nil }, ErrFormat},
		"something else":   {replace("frostfleet-exit", "frostfleet-job"), ErrFormat},
		"a later version":  {replace(`"version":1`, `"version":2`), ErrVersion},
		"no network":       {replace("regtest", "fleet"), ErrFormat},
		"another node":     {replace(`"node":0`, `"node":3`), ErrFormat},
		"a threshold":      {replace(`"t":2`, `"t":3`), ErrFormat},
		"a threshold of 0": {replace(`"t":2`, `"t":0`), ErrFormat},
		"too many nodes":   {replace(`"n":3`, `"n":129`), ErrFormat},
		"no keys":          {replace(`"keys":4`, `"keys":0`), ErrFormat},
		"very many keys":   {replace(`"keys":4`, `"keys":1000000000`), ErrFormat},
		"a key too many":   {replace(`"keys":4`, `"keys":5`), ErrFormat},
		"a key too few":    {replace(`"keys":4`, `"keys":3`), ErrFormat},
		"a short manifest": {replace(`"manifest":"01`, `"manifest":"`), ErrFormat},
		"another field":    {replace(`"version":1`, `"version":1,"more":1`), ErrFormat},
		"two on a line":    {replace("}\n", "}{}\n"), ErrFormat},
		"a suite":          {replace("secp256k1-tr", "secp256k1"), ErrFormat},
		"another suite":    {replace("secp256k1-tr", "ed25519"), ErrFormat},
		"no client":        {replace(`"treasury"`, `"a b"`), ErrFormat},
		"a generation":     {replace(`"generation":0`, `"generation":-1`), ErrFormat},
		"a key twice":      {replace("1.1", "1.0"), ErrFormat},
		"a long line":      {replace("{", "{"+strings.Repeat(" ", maxHead)), ErrFormat},
		"a share too few":  {func(p []byte) []byte { return p[:len(p)-32] }, ErrFormat},
		"a byte too few":   {func(p []byte) []byte { return p[:len(p)-1] }, ErrFormat},
		"a byte too many":  {func(p []byte) []byte { return append(p, 0) }, ErrFormat},
		"nothing but keys": {func(p []byte) []byte { return p[:bytes.IndexByte(p, '\n')] }, ErrFormat},
	} {
		plain := test.change(bytes.Clone(good.Expose()))
		if bytes.Equal(plain, good.Expose()) {
			t.Errorf("%s: nothing was changed", name)
		}
		if got, err := decode(plain); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, test.want)
		}
	}
}

// TestSealRefuses: more than a file may have, and what does not fit together.
func TestSealRefuses(t *testing.T) {
	f, r := batches(t, "regtest", 1)[0], ceremony(t).Recipient()
	many := clone(f)
	for i := range MaxKeys {
		k := f.Keys[0]
		k.ID = fmt.Sprintf("%032x.%d", i, i%1000)
		many.Keys = append(many.Keys, k)
	}
	many.Shares = secret.New(make([]byte, 32*len(many.Keys)))
	if _, err := many.Seal(r); !errors.Is(err, ErrSize) {
		t.Errorf("%d keys: %v", len(many.Keys), err)
	}
	short := clone(f)
	short.Shares = secret.New(short.Shares.Expose()[:32])
	if _, err := short.Seal(r); !errors.Is(err, ErrFormat) {
		t.Errorf("a share is missing: %v", err)
	}
	if _, err := Open(make([]byte, MaxSize+1), ceremony(t)); !errors.Is(err, ErrSize) {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := batches(f, "regtest", 1)[0].encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Expose())
	f.Add([]byte(`{"format":"frostfleet-exit","version":1}` + "\n"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		got, err := decode(bytes.Clone(plain))
		if err != nil {
			return
		}
		again, err := got.encode()
		if err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		back, err := decode(again.Expose())
		if err != nil || !same(got, back) {
			t.Fatalf("%+v became %+v, %v", got, back, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	i, err := ParseIdentity([]byte("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := batches(f, "regtest", 1)[0].Seal(i.Recipient())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if got, err := Open(sealed, i); err == nil && got.validate() != nil {
			t.Fatalf("%+v", got)
		}
	})
}
