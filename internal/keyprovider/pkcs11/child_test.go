//go:build cgo

package pkcs11

import (
	"os"
	"strconv"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/test/softhsm"
)

// childEnv tells TestChild what to do: delete or replace, on a token, a class
// of objects with a label.
func childEnv(args []any) []string {
	token := args[1].(softhsm.Token)
	return []string{"FROSTFLEET_CHILD=" + args[0].(string), "FROSTFLEET_SLOT=" + strconv.FormatUint(uint64(token.Slot), 10),
		"FROSTFLEET_PIN=" + token.PIN, "FROSTFLEET_CLASS=" + args[2].(string), "FROSTFLEET_LABEL=" + args[3].(string)}
}

// TestChild is what another process does to a token behind the provider's
// back. Alone it does nothing.
func TestChild(t *testing.T) {
	task := os.Getenv("FROSTFLEET_CHILD")
	if task == "" {
		return
	}
	slot, err := strconv.ParseUint(os.Getenv("FROSTFLEET_SLOT"), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	label := os.Getenv("FROSTFLEET_LABEL")
	classes := map[string][]uint{"privkey": {p11.CKO_PRIVATE_KEY}, "secrkey": {p11.CKO_SECRET_KEY},
		"pair": {p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY}}[os.Getenv("FROSTFLEET_CLASS")]
	o := Options{Section: Section{Library: softhsm.Installed(t)}}
	o.asAdmin(t, softhsm.Token{Slot: uint(slot), PIN: os.Getenv("FROSTFLEET_PIN")}, func(a *admin) {
		for _, class := range classes {
			a.must(a.api.FindObjectsInit(a.s, attributesOf(map[uint]any{p11.CKA_CLASS: class, p11.CKA_LABEL: label})))
			found, _, err := a.api.FindObjects(a.s, 10)
			a.must(err)
			a.must(a.api.FindObjectsFinal(a.s))
			if len(found) != 1 {
				t.Fatalf("%d objects", len(found))
			}
			a.must(a.api.DestroyObject(a.s, found[0]))
		}
		switch {
		case task == "delete":
		case classes[0] == p11.CKO_SECRET_KEY:
			a.secret(label, p11.CKM_GENERIC_SECRET_KEY_GEN, nil)
		default:
			a.pair(label, p256, nil)
		}
	})
}
