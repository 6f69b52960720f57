package wire

import (
	"bytes"
	"strings"
	"testing"
)

func TestCarried(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"carol", strings.Repeat("a", maxToken)} {
		message := bytes.Repeat([]byte{7}, MaxCarried)
		data, err := EncodeCarried(name, message)
		if err != nil || len(data) > MaxFreeze {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		subject, got := Uncarry(CarriedSubject("gw"), data)
		if subject != ControlSubject(name) || !bytes.Equal(got, message) {
			t.Errorf("%s: %s", name, subject)
		}
		if subject, got := Uncarry(ControlSubject("dave"), data); subject != "control.dave" || !bytes.Equal(got, data) {
			t.Errorf("under an administrator's subject it was unwrapped: %s", subject)
		}
		if subject, _ := Uncarry(CarriedSubject("gw"), append(data, 0)); subject != CarriedSubject("gw") {
			t.Errorf("junk was unwrapped: %s", subject)
		}
	}
	for name, message := range map[string][]byte{"a.b": nil, "": nil, "a": make([]byte, MaxCarried+1)} {
		if _, err := EncodeCarried(name, message); err == nil {
			t.Errorf("%q is carried", name)
		}
	}
}

func FuzzUncarry(f *testing.F) {
	data, _ := EncodeCarried("carol", []byte("message"))
	f.Add("carried.gw", data)
	f.Add("control.carol", data)
	f.Add("carried.gw.x", []byte{})
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		to, message := Uncarry(subject, data)
		if to == subject {
			return
		}
		name, err := ParseControl(to)
		if err != nil {
			t.Fatal(err)
		}
		if len(message) > MaxCarried {
			return // nobody encodes that; it fits CONTROL's limit all the same
		}
		again, err := EncodeCarried(name, message)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x is carried as %x, %v", data, again, err)
		}
	})
}
