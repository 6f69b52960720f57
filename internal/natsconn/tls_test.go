package natsconn

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// texts reads what TLSFiles lists.
func texts(t *testing.T, f *Files) (all [][]byte) {
	t.Helper()
	for _, one := range f.TLSFiles() {
		all = append(all, must[[]byte](t)(os.ReadFile(one.Path)))
	}
	return all
}

// reconnects gives the connection up and waits for the next one.
func reconnects(t *testing.T, c *Conn) {
	t.Helper()
	before := c.Stats().Reconnects
	if err := c.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a reconnection", func() bool { return c.Stats().Reconnects > before && c.Healthy() == nil })
}

// TestSetTLS: what both sides go with is used by the next connection, whatever becomes
// of the files; an authority that the server is not of, and a certificate that it does
// not take, are refused while the server runs, and nothing of them is used.
func TestSetTLS(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	ca, other := newAuthority(t, year), newAuthority(t, year)
	url := tlsServer(t, ca, year, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert})
	dir := t.TempDir()
	cert, key := ca.leaf(dir, "client", year)
	files := Files{TLSCA: ca.file(dir), TLSCert: cert, TLSKey: key}
	c := connect(t, Options{URL: url, Files: files})
	set := func() ([]string, error) {
		t.Helper()
		next, err := files.TLSOf(texts(t, &files))
		if err != nil {
			t.Fatal(err)
		}
		return c.SetTLS(t.Context(), next)
	}
	if changed, err := set(); err != nil || len(changed) != 0 {
		t.Fatalf("the same: %q, %v", changed, err)
	}

	other.file(dir)
	if changed, err := set(); err == nil || len(changed) != 0 || !strings.Contains(err.Error(), "tls_ca "+files.TLSCA) {
		t.Errorf("another authority: %q, %v", changed, err)
	}
	ca.file(dir)
	other.leaf(dir, "client", year)
	if changed, err := set(); err == nil || len(changed) != 0 || !strings.Contains(err.Error(), "tls_cert "+cert) {
		t.Errorf("another authority's certificate: %q, %v", changed, err)
	}
	reconnects(t, c) // with what was there before

	ca.leaf(dir, "client", year.AddDate(1, 0, 0))
	writeFile(t, files.TLSCA, append(certPEM(ca.cert), certPEM(other.cert)...))
	changed, err := set()
	end := year.AddDate(1, 0, 0).UTC().Format(time.DateOnly)
	if err != nil || len(changed) != 2 || !strings.Contains(changed[0], "tls_ca has 2 certificates") ||
		!strings.Contains(changed[1], "tls_cert is of CN=client and expires on "+end) {
		t.Errorf("both: %q, %v", changed, err)
	}
	for _, path := range []string{files.TLSCA, cert, key} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	reconnects(t, c)
}

// TestSetTLSWithoutServer: a server that does not answer says nothing against what is new.
func TestSetTLSWithoutServer(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	ca, other := newAuthority(t, year), newAuthority(t, year)
	_, address, _ := strings.Cut(tlsServer(t, ca, year, new(tls.Config)), "://")
	l, dir := faultlink.New(t, address), t.TempDir()
	files := Files{TLSCA: ca.file(dir)}
	c := connect(t, Options{URL: "tls://" + l.Addr(), Files: files})
	l.Refuse(true)
	other.file(dir)
	next := must[*TLS](t)(files.TLSOf(texts(t, &files)))
	if changed, err := c.SetTLS(t.Context(), next); err != nil || len(changed) != 1 {
		t.Errorf("%q, %v", changed, err)
	}
}

// TestTLSOf: of a set of files all are good or none is.
func TestTLSOf(t *testing.T) {
	year, dir := time.Now().AddDate(1, 0, 0), t.TempDir()
	ca := newAuthority(t, year)
	cert, key := ca.leaf(dir, "client", year)
	_, foreign := ca.leaf(dir, "foreign", year)
	files := Files{TLSCA: ca.file(dir), TLSCert: cert, TLSKey: key}
	good := texts(t, &files)
	for name, test := range map[string]struct {
		at   int
		text string
		want string
	}{
		"no certificate":      {0, "", "tls_ca: file " + files.TLSCA + " holds no certificate"},
		"half a certificate":  {0, string(good[0][:100]), "tls_ca: file " + files.TLSCA + " holds no certificate"},
		"no client's":         {1, "x", "tls_cert: file " + cert},
		"half a key":          {2, string(good[2][:60]), "tls_key: file " + key + " holds no private key"},
		"another key":         {2, string(must[[]byte](t)(os.ReadFile(foreign))), "tls_key: file " + key + " is not the key"},
		"certificate for key": {2, string(good[1]), "tls_key: file " + key + " holds no private key"},
	} {
		set := slices.Clone(good)
		set[test.at] = []byte(test.text)
		if got, err := files.TLSOf(set); err == nil || got != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := files.TLSOf(good); err != nil {
		t.Error(err)
	}
	if got := (&Files{}).TLSFiles(); len(got) != 0 {
		t.Errorf("files of no TLS: %v", got)
	}
}

// TestFilesAreReadAgain: without SetTLS each connection has what the files hold, and what
// they held before where they can't be used.
func TestFilesAreReadAgain(t *testing.T) {
	year, dir := time.Now().AddDate(1, 0, 0), t.TempDir()
	ca := newAuthority(t, year)
	url := tlsServer(t, ca, year, new(tls.Config))
	files := Files{TLSCA: ca.file(dir)}
	c := connect(t, Options{URL: url, Files: files})
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	reconnects(t, c)
	newAuthority(t, year).file(dir)
	if err := c.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another authority", func() bool {
		err := c.Healthy()
		return err != nil && strings.Contains(err.Error(), "is not the authority that signed")
	})
	ca.file(dir)
	eventually(t, "a connection", func() bool { return c.Healthy() == nil })
}
