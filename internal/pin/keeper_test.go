package pin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// token counts the wrong PINs that it is given.
type token struct {
	pin      string
	absent   bool
	loggedIn bool
	wrong    []string
}

var errAbsent = &keyprovider.Error{Reason: keyprovider.Unavailable, Provider: "pkcs11"}

func triedIn(t *testing.T) *Tried { return TriedIn(t.TempDir(), "unlock it") }

// login is what a provider does for a person: there is a wrong PIN now and
// then.
func (d *token) login(t *testing.T, k *Keeper) error {
	if d.loggedIn {
		return nil
	}
	if d.absent {
		return errAbsent
	}
	pin, err := k.PIN(t.Context())
	if err != nil {
		return &keyprovider.Error{Reason: keyprovider.PIN, Provider: "pkcs11", Err: err}
	}
	defer pin.Wipe()
	leave, err := k.Enter(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if err := k.Trying(); err != nil {
		t.Fatal(err)
	}
	if text := string(pin.Expose()); text != d.pin {
		d.wrong = append(d.wrong, text)
		err = &keyprovider.Error{Reason: keyprovider.PIN, Provider: "pkcs11", Action: "C_Login"}
	}
	d.loggedIn = err == nil
	k.LoggedIn(pin, err)
	return err
}

func want(t *testing.T, err error, reason keyprovider.Reason, parts ...string) {
	t.Helper()
	got := keyprovider.OK
	if err != nil {
		got = Refusal(err).Reason
	}
	if got != reason {
		t.Errorf("got %v, reason %s; want %s", err, got, reason)
	}
	for _, part := range parts {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("got %v; want it to say %q", err, part)
		}
	}
}

// TestWrongPINIsGivenOnce: whatever asks, and however often.
func TestWrongPINIsGivenOnce(t *testing.T) {
	d := &token{pin: "right"}
	source := "wrong"
	k := NewKeeper(func(context.Context) (*secret.Bytes, error) { return newPIN(source), nil }, "edit pin_file", triedIn(t))
	for range 5 {
		want(t, d.login(t, k), keyprovider.PIN)
	}
	want(t, d.login(t, k), keyprovider.PIN, "edit pin_file", "refused this PIN before")
	_, err := k.Try(newPIN("wrong"), func() error { return d.login(t, k) })
	want(t, err, keyprovider.PIN, "give another one")
	if len(d.wrong) != 1 {
		t.Fatalf("the token was given wrong PINs %d times", len(d.wrong))
	}
	source = "right" // the file was corrected
	want(t, d.login(t, k), keyprovider.OK)
	if len(d.wrong) != 1 {
		t.Errorf("the token was given wrong PINs %d times", len(d.wrong))
	}
}

// TestOperatorsPIN: none without one; a wrong one is gone, a right one stays
// for later logins, and a later wrong one does not drive it out.
func TestOperatorsPIN(t *testing.T) {
	d := &token{pin: "right"}
	k := NewKeeper(nil, "run unlock", triedIn(t))
	try := func(pin string) (bool, error) {
		return k.Try(newPIN(pin), func() error { return d.login(t, k) })
	}
	want(t, d.login(t, k), keyprovider.PIN, "run unlock", "there is no PIN")

	taken, err := try("wrong")
	want(t, err, keyprovider.PIN)
	if taken {
		t.Error("a wrong PIN was taken")
	}
	want(t, d.login(t, k), keyprovider.PIN, "there is no PIN")

	d.absent = true
	_, err = try("right")
	want(t, err, keyprovider.Unavailable)
	d.absent = false
	want(t, d.login(t, k), keyprovider.PIN, "there is no PIN") // it was not proven

	if taken, err = try("right"); !taken || err != nil {
		t.Errorf("taken %t, %v", taken, err)
	}
	d.loggedIn = false // pulled, and put back
	want(t, d.login(t, k), keyprovider.OK)

	if taken, err = try("other"); taken || err != nil {
		t.Errorf("while logged in: taken %t, %v", taken, err)
	}
	d.loggedIn = false
	want(t, d.login(t, k), keyprovider.OK)
	if fmt.Sprint(d.wrong) != "[wrong]" {
		t.Errorf("the token was given %v", d.wrong)
	}

	d.pin, d.loggedIn = "changed", false
	want(t, d.login(t, k), keyprovider.PIN)
	want(t, d.login(t, k), keyprovider.PIN, "there is no PIN")
	if taken, err = try("changed"); !taken || err != nil {
		t.Errorf("taken %t, %v", taken, err)
	}
}

// TestOperatorsPINGoesFirst: a PIN that an operator brings counts though the
// source has one.
func TestOperatorsPINGoesFirst(t *testing.T) {
	d := &token{pin: "right"}
	k := NewKeeper(Literal(newPIN("wrong")), "edit", triedIn(t))
	if taken, err := k.Try(newPIN("right"), func() error { return d.login(t, k) }); !taken || err != nil || len(d.wrong) > 0 {
		t.Errorf("taken %t, %v, wrong %v", taken, err, d.wrong)
	}
}

// TestOneTrialAtATime: a second operator is told to wait.
func TestOneTrialAtATime(t *testing.T) {
	k := NewKeeper(nil, "", triedIn(t))
	_, err := k.Try(newPIN("1"), func() error {
		_, err := k.Try(newPIN("2"), func() error { t.Error("tried"); return nil })
		want(t, err, keyprovider.PIN, "another PIN is being tried")
		return errors.New("end")
	})
	if err == nil {
		t.Error("no error")
	}
}

var errWrong = &keyprovider.Error{Reason: keyprovider.PIN, Provider: "pkcs11", Action: "C_Login"}

// TestLoginsOfTwo: while the token gets a PIN, an operator brings another. Each
// login's outcome is that of its own PIN.
func TestLoginsOfTwo(t *testing.T) {
	t.Run("the operator's is wrong", func(t *testing.T) {
		d := &token{pin: "right"}
		k := NewKeeper(nil, "", triedIn(t))
		if taken, err := k.Try(newPIN("right"), func() error { return d.login(t, k) }); !taken || err != nil {
			t.Fatal(taken, err)
		}
		taken, err := k.Try(newPIN("wrong"), func() error {
			if pin, err := k.PIN(t.Context()); err != nil || string(pin.Expose()) != "wrong" {
				t.Errorf("got %q, %v", pin.Expose(), err)
			}
			k.LoggedIn(newPIN("right"), nil) // the worker's own login, under way until now
			return nil                       // logged in already
		})
		if taken || err != nil {
			t.Errorf("a PIN that the token never saw: taken %t, %v", taken, err)
		}
		if pin, err := k.PIN(t.Context()); err != nil || string(pin.Expose()) != "right" {
			t.Errorf("the next login gets %q, %v", pin.Expose(), err)
		}
	})
	t.Run("the operator's is right", func(t *testing.T) {
		k := NewKeeper(Literal(newPIN("wrong")), "", triedIn(t))
		taken, err := k.Try(newPIN("right"), func() error {
			k.LoggedIn(newPIN("wrong"), errWrong) // the worker's own
			k.LoggedIn(newPIN("right"), nil)
			return nil
		})
		if !taken || err != nil {
			t.Errorf("taken %t, %v", taken, err)
		}
		if pin, err := k.PIN(t.Context()); err != nil || string(pin.Expose()) != "right" {
			t.Errorf("the next login gets %q, %v", pin.Expose(), err)
		}
	})
}

// TestTakenThoughItFails: a PIN that the token took is kept, though what comes
// after the login fails.
func TestTakenThoughItFails(t *testing.T) {
	d := &token{pin: "right"}
	k := NewKeeper(nil, "", triedIn(t))
	taken, err := k.Try(newPIN("right"), func() error { return errors.Join(d.login(t, k), errAbsent) })
	want(t, err, keyprovider.Unavailable)
	d.loggedIn = false
	if !taken {
		t.Error("not taken")
	}
	want(t, d.login(t, k), keyprovider.OK)
}

// TestWipe: nothing is left, of any kind, and nothing is printed before.
func TestWipe(t *testing.T) {
	k := NewKeeper(nil, "run unlock", triedIn(t))
	bytes := [][]byte{[]byte("wr0ng"), []byte("r1ght")}
	d := &token{pin: "r1ght"}
	for _, pin := range bytes {
		_, _ = k.Try(secret.New(pin), func() error { return d.login(t, k) })
	}
	refused := k.refused[0].Expose()
	for _, text := range []string{"wr0ng", "r1ght"} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", k, k, k), text) {
			t.Errorf("%s is printed", text)
		}
	}
	k.Wipe()
	for _, pin := range append(bytes, refused) {
		if string(pin) != "\x00\x00\x00\x00\x00" {
			t.Errorf("left %q", pin)
		}
	}
	_, err := k.PIN(t.Context())
	want(t, err, keyprovider.PIN, "there is no PIN")
}
