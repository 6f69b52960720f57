//go:build cgo

package pkcs11

import (
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestUnclearLogin: a wrong PIN that is answered with a code that does not say
// so is given to the token twice, over both dials and restarts.
func TestUnclearLogin(t *testing.T) {
	for _, rv := range []uint{p11.CKR_FUNCTION_FAILED, p11.CKR_DEVICE_ERROR, p11.CKR_VENDOR_DEFINED + 0x129, p11.CKR_ARGUMENTS_BAD} {
		t.Run(p11.Error(rv).Error(), func(t *testing.T) {
			f, token, o := pinned(t)
			dir := t.TempDir()
			o = keptIn(dir, o, token.PIN)
			f.fail("C_Login", rv)
			if err := openErr(t, o, f); keyprovider.ReasonOf(err) == keyprovider.PIN || err == nil {
				t.Fatal(err)
			}
			if n := f.count("C_Login"); n != 1 {
				t.Fatalf("%d logins by one dial", n)
			}
			wants(t, openErr(t, o, f), keyprovider.PIN, "failed twice at this PIN", p11.Error(rv).Error(), "frost-worker unlock")
			f.release()
			wants(t, openErr(t, o, f), keyprovider.PIN)
			newProcess()
			after := o
			wants(t, openErr(t, after, f), keyprovider.PIN, "given a PIN before")
			if n := f.count("C_Login"); n != 2 {
				t.Fatalf("%d logins", n)
			}
			after.AfterWrongPIN = true
			mustWork(t, mustOpenWith(t, after, f.load))
		})
	}
}

// TestOneUnclearLogin is no refusal: it may have been the device.
func TestOneUnclearLogin(t *testing.T) {
	f, _, o := pinned(t)
	p := mustOpenWith(t, o, f.load)
	for range 2 {
		mustWork(t, p)
		f.failOnce("C_Login", p11.CKR_DEVICE_ERROR)
		f.failWith("C_Sign", failsOnce(p11.CKR_DEVICE_REMOVED))
		wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
		wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "C_Login")
		time.Sleep(dialPause)
	}
	mustWork(t, p)
}

// TestDoubtsAreForgiven once the token takes a PIN; refusals are not, nor doubts
// that came twice.
func TestDoubtsAreForgiven(t *testing.T) {
	newProcess()
	defer newProcess()
	p := &Provider{o: Options{Section: Section{TokenLabel: "t"}}}
	pin := func(text string) *secret.Bytes { return secret.New([]byte(text)) }
	for given, answers := range map[string][]error{
		"once":    {p11.Error(p11.CKR_DEVICE_ERROR)},
		"twice":   {p11.Error(p11.CKR_DEVICE_ERROR), p11.Error(p11.CKR_GENERAL_ERROR)},
		"refused": {p11.Error(p11.CKR_PIN_INCORRECT)},
		"spared":  {p11.Error(p11.CKR_PIN_LOCKED), p11.Error(p11.CKR_TOKEN_NOT_PRESENT)},
	} {
		for _, answer := range answers {
			_ = p.remember("token", pin(given), answer)
		}
	}
	for range 2 {
		for given, out := range map[string]bool{"once": false, "twice": true, "refused": true, "spared": false} {
			if strikes.of("token", pin(given)) >= struckOut != out || strikes.of("another", pin(given)) > 0 {
				t.Errorf("%s: out %t", given, !out)
			}
		}
		_ = p.remember("token", pin("right"), nil)
		if strikes.of("token", pin("once")) > 0 {
			t.Error("a doubt was not forgiven")
		}
	}
}

// failsOnce fails the first call that it is asked about.
func failsOnce(rv uint) func(int) error {
	failed := false
	return func(int) error {
		if failed {
			return nil
		}
		failed = true
		return p11.Error(rv)
	}
}

// TestUnlockedAgain: a PIN that was locked, or had expired, is good once the
// security officer has mended that and somebody says so; and it stays good.
func TestUnlockedAgain(t *testing.T) {
	for _, rv := range []uint{p11.CKR_PIN_LOCKED, p11.CKR_PIN_EXPIRED} {
		t.Run(p11.Error(rv).Error(), func(t *testing.T) {
			f, token, o := pinned(t)
			o = keptIn(t.TempDir(), o, token.PIN)
			f.fail("C_Login", rv)
			wants(t, openErr(t, o, f), keyprovider.PIN)
			f.release()
			wants(t, openErr(t, o, f), keyprovider.PIN, "given a PIN before")
			if n := f.count("C_Login"); n != 1 {
				t.Fatalf("%d logins", n)
			}
			person := o
			person.AfterWrongPIN = true // frost-worker unlock
			mustClose(t, mustOpenWith(t, person, f.load))
			mustWork(t, mustOpenWith(t, o, f.load))
		})
	}
}
