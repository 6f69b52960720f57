package wire

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestOpenNode: a message opens for its node, subject and time, and for no
// other.
func TestOpenNode(t *testing.T) {
	f := newFleet(t, 1, 2)
	data := f.sessions[0].Seal(f.m, "subject", []byte("body"))
	if body, err := OpenNode(f.m, 0, "subject", f.now, data); err != nil || string(body) != "body" {
		t.Fatalf("%q, %v", body, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"node":    func() ([]byte, error) { return OpenNode(f.m, 1, "subject", f.now, data) },
		"subject": func() ([]byte, error) { return OpenNode(f.m, 0, "other", f.now, data) },
		"time":    func() ([]byte, error) { return OpenNode(f.m, 0, "subject", f.now.Add(time.Hour), data) },
		"fleet":   func() ([]byte, error) { return OpenNode(newFleet(t, 1, 2).m, 0, "subject", f.now, data) },
	} {
		if body, err := open(); err == nil || body != nil {
			t.Errorf("another %s: %q, %v", name, body, err)
		}
	}
}

// FuzzParseCard: an error gives nothing, and what is taken is written as it was
// read.
func FuzzParseCard(f *testing.F) {
	f.Add([]byte(`{"version":1,"fleet":"a","network":"regtest","n":3,"t":2,"epoch":1,"index":1,"identity":"04ab","encryption":"00"}`))
	f.Add([]byte(`{"index":1,"identity":"04ab","encryption":"00"}`))
	f.Add([]byte(`{"index":0,"identity":"","encryption":"","x":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCard(data)
		if err != nil {
			if !reflect.DeepEqual(c, Card{}) {
				t.Fatalf("%+v beside %v", c, err)
			}
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseCard(text); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v, then %+v, %v", c, again, err)
		}
	})
}
