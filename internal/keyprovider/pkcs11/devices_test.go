//go:build cgo

package pkcs11

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
)

// library finds one of Debian's packages.
func library(t *testing.T, file, packages string) string {
	t.Helper()
	for _, dir := range []string{"/usr/lib/*-linux-gnu", "/usr/lib/*-linux-gnu/pkcs11", "/usr/lib64", "/usr/lib64/pkcs11"} {
		if found, _ := filepath.Glob(filepath.Join(dir, file)); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("no %s: apt-get install %s", file, packages)
	return ""
}

const userPIN = "123456"

// initialise makes the token in a slot the user's: its security officer's PIN
// is so, and its user's userPIN. The label of a token that has one stays.
func initialise(t *testing.T, o Options, slot uint, label, so string) {
	t.Helper()
	p := &Provider{o: o}
	m, err := acquire(p, loadLibrary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ensure(); err != nil {
		t.Fatal(err)
	}
	a := &admin{t: t, api: m.api.(*p11.Ctx)}
	if label != "" {
		a.must(a.api.InitToken(slot, so, label))
	}
	a.s, err = a.api.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	a.must(err)
	a.must(a.api.Login(a.s, p11.CKU_SO, so))
	a.must(a.api.InitPIN(a.s, userPIN))
	a.must(a.api.Logout(a.s))
	a.must(a.api.CloseSession(a.s))
	a.must(m.release(p))
}

// fact is what is said about one thing.
func fact(t *testing.T, facts []keyprovider.Fact, name string) keyprovider.Fact {
	t.Helper()
	for _, f := range facts {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("nothing about %s in %+v", name, facts)
	return keyprovider.Fact{}
}

// TestNSS: a library that wants parameters for C_Initialize gets them, from no
// keys to a provider that conforms. It is known for software, and it does not
// count against a key that NSS keeps no record of where it was made.
func TestNSS(t *testing.T) {
	o := Options{PIN: pinOf(userPIN)}
	o.Library, o.TokenLabel = library(t, "libsoftokn3.so", "libnss3"), "node-0"
	o.KeyLabel, o.DerivationKeyLabel = identityLabel, derivationLabel
	if err := o.resolve(); err != nil {
		t.Fatal(err)
	}
	o.InitArgs = fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' dbTokenDescription='node-0' flags=", t.TempDir())
	initialise(t, o, 2, "", "")
	facts, err := Provision(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := fact(t, facts, "token"); !strings.Contains(f.Warning, "NSS keeps its keys in files") {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"identity", "derivation"} {
		if f := fact(t, facts, name); f.Warning != "" || !strings.Contains(f.Value, "does not say whether it was made there") {
			t.Errorf("%+v", f)
		}
	}
	other := o
	other.InitArgs = "configdir='/elsewhere'"
	p := mustOpen(t, o)
	if _, err := Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "other init_args") {
		t.Errorf("two sets of parameters: %v", err)
	}
	mustClose(t, p)

	second := o // keys of another node on the same token
	second.KeyLabel, second.DerivationKeyLabel = "other-identity", "other-derivation"
	if _, err := Provision(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	opener := func(o Options) func() (keyprovider.Provider, error) {
		return func() (keyprovider.Provider, error) { return Open(t.Context(), o) }
	}
	conformance.Run(t, conformance.Subject{Open: opener(o), OpenOther: opener(second)})
}

// startTPM runs a TPM that is a program.
func startTPM(t *testing.T) (tcti string) {
	t.Helper()
	port := 0
	for port == 0 { // the control port is the next one
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		free := l.Addr().(*net.TCPAddr).Port
		if next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", free+1)); err == nil {
			_ = next.Close()
			port = free
		}
		_ = l.Close()
	}
	tpm := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+t.TempDir(), "--flags", "not-need-init,startup-clear",
		"--server", fmt.Sprintf("type=tcp,port=%d", port), "--ctrl", fmt.Sprintf("type=tcp,port=%d", port+1))
	if err := tpm.Start(); err != nil {
		t.Fatalf("%v: apt-get install swtpm", err)
	}
	t.Cleanup(func() { _ = tpm.Process.Kill(); _ = tpm.Wait() })
	eventually(t, "the TPM listens", func() error { // the other port takes one client, which is the library
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port+1), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	return fmt.Sprintf("swtpm:host=127.0.0.1,port=%d", port)
}

// TestTPM: on a TPM the identity key is made and works. What can't be made
// there is no outage, and the error names the tool that makes it. A software
// TPM says that it is hardware, and is known all the same.
func TestTPM(t *testing.T) {
	lib := library(t, "libtpm2_pkcs11.so*", "libtpm2-pkcs11-1 libtss2-tcti-swtpm0")
	t.Setenv("TPM2_PKCS11_TCTI", startTPM(t))
	t.Setenv("TPM2_PKCS11_STORE", t.TempDir())
	t.Setenv("TPM2_PKCS11_LOG_LEVEL", "0")
	o := Options{PIN: pinOf(userPIN)}
	o.Library, o.TokenLabel, o.KeyLabel = lib, "node-0", identityLabel
	if err := o.resolve(); err != nil {
		t.Fatal(err)
	}
	initialise(t, o, 1, "node-0", "12345678")
	facts, err := Provision(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := fact(t, facts, "token"); !strings.Contains(f.Warning, "a software TPM keeps its keys in files") {
		t.Errorf("%+v", f)
	}
	if f := fact(t, facts, "identity"); f.Warning != "" {
		t.Errorf("%+v", f)
	}
	p := mustOpen(t, o)
	if err := trySign(t.Context(), p); err != nil {
		t.Error(err)
	}
	mustClose(t, p)
	o.DerivationKeyLabel = derivationLabel
	_, err = Provision(t.Context(), o)
	wants(t, err, keyprovider.Denied, derivationLabel, "tpm2_ptool addkey --algorithm hmac:sha256")
}

// TestKeyThatIsNotMade: a general error is the library's only word for what it
// can't make (tpm2-pkcs11), so it is tried with fewer attributes, and is no
// outage: the token has just answered.
func TestKeyThatIsNotMade(t *testing.T) {
	f, _, o := pinned(t)
	for i, rv := range []uint{p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED} {
		o.KeyLabel = fmt.Sprintf("new %d", i)
		f.fail("C_GenerateKeyPair", rv)
		before := f.count("C_GenerateKeyPair")
		_, err := provision(t.Context(), o, f.load)
		wants(t, err, keyprovider.Other, `key "new`, "the token works", "tpm2_ptool addkey", "frost-worker selftest", p11.Error(rv).Error())
		if n := f.count("C_GenerateKeyPair") - before; n != 2 {
			t.Errorf("tried %d times", n)
		}
		f.release()
		f.failOnce("C_GenerateKeyPair", rv)
		if _, err := provision(t.Context(), o, f.load); err != nil {
			t.Error(err)
		}
	}
}

// TestSoftwareTokens: by name, and by what slot and mechanism say.
func TestSoftwareTokens(t *testing.T) {
	f, _, o := pinned(t)
	p := mustOpenWith(t, o, f.load)
	describe := func() string {
		facts, err := p.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fact(t, facts, "token").Warning
	}
	if warning := describe(); !strings.Contains(warning, "SoftHSM keeps its keys in files") {
		t.Errorf("%q", warning)
	}
	c, err := p.connection(t.Context(), "test", "key")
	if err != nil {
		t.Fatal(err)
	}
	info := c.info
	for maker, want := range map[string]string{"Kryoptic Project": "Kryoptic", "Mozilla Foundation": "NSS", "Acme": "neither its slot"} {
		c.info.ManufacturerID, c.info.Model = maker, "x"
		warning, err := c.softwareWarning(p11.Info{})
		if err != nil || !strings.HasPrefix(warning, want) {
			t.Errorf("%s: %q, %v", maker, warning, err)
		}
	}
	c.info.ManufacturerID = "Acme"
	f.set(func() { f.hardware = true })
	if warning, err := c.softwareWarning(p11.Info{}); err != nil || warning != "" {
		t.Errorf("hardware: %q, %v", warning, err)
	}
	c.info = info
}
