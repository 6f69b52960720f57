package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingPrintsASecret(t *testing.T) {
	const plain = "correct horse"
	s := New([]byte(plain))
	holder := struct{ inner *Bytes }{s}
	value := struct{ inner Bytes }{*s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, holder)
		fmt.Fprintf(&out, verb, value)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "h", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "h", holder)
	if err := json.NewEncoder(&out).Encode(map[string]any{"s": s}); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{plain, fmt.Sprintf("%x", plain), "99 111 114"} {
		if strings.Contains(out.String(), leak) {
			t.Fatalf("secret printed as %q in %s", leak, out.String())
		}
	}
}

func TestWipe(t *testing.T) {
	b := []byte{1, 2, 3}
	s := New(b)
	if !bytes.Equal(s.Expose(), []byte{1, 2, 3}) {
		t.Fatal("Expose does not give the secret")
	}
	s.Wipe()
	if len(s.Expose()) != 0 || !bytes.Equal(b, []byte{0, 0, 0}) {
		t.Fatal("Wipe left something")
	}
	s.Wipe()
	(*Bytes)(nil).Wipe()
}
