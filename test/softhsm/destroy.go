package softhsm

import (
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// Destroy destroys every key of a label, as pkcs11-tool --delete-object does. The process
// may not use the module otherwise meanwhile.
func (h *HSM) Destroy(t testing.TB, token Token, label string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	module := p11.New(h.library)
	if module == nil {
		t.Fatalf("%s can't be loaded", h.library)
	}
	defer module.Destroy()
	must(module.Initialize())
	defer func() { _ = module.Finalize() }()
	session, err := module.OpenSession(token.Slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	must(err)
	must(module.Login(session, p11.CKU_USER, token.PIN))
	must(module.FindObjectsInit(session, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, label)}))
	objects, _, err := module.FindObjects(session, 16)
	must(err)
	must(module.FindObjectsFinal(session))
	if len(objects) == 0 {
		t.Fatalf("token %s has no key %s", token.Label, label)
	}
	for _, o := range objects {
		must(module.DestroyObject(session, o))
	}
}
