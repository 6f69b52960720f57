package natsconn

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// creds is a .creds file around claims; its seed is no seed.
func creds(claims string) []byte {
	return []byte("-----BEGIN NATS USER JWT-----\nhead." + base64.RawURLEncoding.EncodeToString([]byte(claims)) +
		".signature\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSU\n------END USER NKEY SEED------\n")
}

func TestExpiry(t *testing.T) {
	day := time.Now().Add(24 * time.Hour).Truncate(time.Second).UTC()
	week, year := day.AddDate(0, 0, 6), day.AddDate(1, 0, 0)
	early, late := newAuthority(t, day), newAuthority(t, year)
	cert, _ := late.leaf(t.TempDir(), "leaf", week)
	leaf := must[[]byte](t)(os.ReadFile(cert))
	both := append(certPEM(early.cert), certPEM(late.cert)...)
	tests := []struct {
		name    string
		read    func([]byte) (time.Time, error)
		content []byte
		want    time.Time
		err     string
	}{
		{"a certificate", certExpiry, leaf, week, ""},
		{"a certificate with its chain", certExpiry, append(leaf, certPEM(early.cert)...), day, ""},
		{"an authority", caExpiry, certPEM(early.cert), day, ""},
		{"two authorities", caExpiry, both, year, ""},
		{"no certificate", certExpiry, []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), time.Time{}, "no certificate"},
		{"a broken certificate", caExpiry, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), time.Time{}, "x509"},
		{"a JWT", credsExpiry, creds(fmt.Sprintf(`{"exp":%d}`, day.Unix())), day, ""},
		{"a JWT without end", credsExpiry, creds(`{"name":"worker"}`), time.Time{}, ""},
		{"a seed", credsExpiry, []byte("SUAMZ\n"), time.Time{}, ""},
		{"a broken JWT", credsExpiry, creds(`{"exp":`), time.Time{}, "does not decode"},
		{"half a JWT", credsExpiry, []byte("-----BEGIN NATS USER JWT-----\nhead.body"), time.Time{}, "no JWT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.read(test.content)
			if !got.Equal(test.want) {
				t.Errorf("expires %v, want %v", got, test.want)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

// Nobody but the operator writes this file; it shall not end the process all the same.
func FuzzCredsExpiry(f *testing.F) {
	f.Add(creds(`{"exp":1}`))
	f.Add([]byte("-----BEGIN NATS USER JWT-----\na.b.c"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if end, err := credsExpiry(content); err != nil && !end.IsZero() {
			t.Errorf("%v with %v", end, err)
		}
	})
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	in := func(days int) time.Time { return time.Now().AddDate(0, 0, days).Truncate(time.Second) }
	want := map[string]time.Time{
		CredentialCA: in(400), CredentialServer: in(30), CredentialCert: in(20), CredentialCreds: in(10),
	}
	ca := newAuthority(t, want[CredentialCA])
	url := tlsServer(t, ca, want[CredentialServer], &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert})
	clientCert, clientKey := ca.leaf(dir, "client", want[CredentialCert])
	caFile, credsFile := ca.file(dir), filepath.Join(dir, "bus.creds")
	c := connect(t, Options{URL: url, Files: Files{TLSCA: caFile, TLSCert: clientCert, TLSKey: clientKey}})
	writeFile(t, credsFile, creds(fmt.Sprintf(`{"exp":%d}`, want[CredentialCreds].Unix())))
	c.opt.Credentials = credsFile // this server takes no JWT; what is tested is that the file is read
	expiry := c.Expiry()
	expect := func(want map[string]time.Time, failing ...string) {
		t.Helper()
		got, failed := make(map[string]time.Time), []string(nil)
		for _, c := range expiry.Read() {
			if c.Err != nil {
				failed = append(failed, c.Name)
			} else {
				got[c.Name] = c.Expires
			}
		}
		if !maps.EqualFunc(got, want, time.Time.Equal) || !slices.Equal(failed, failing) {
			t.Errorf("%v without %v, want %v without %v", got, failed, want, failing)
		}
	}
	expect(want)
	if len(want) != len(CredentialNames) {
		t.Errorf("tested %v of %v", want, CredentialNames)
	}

	// Renewed: the next connection will use it.
	want[CredentialCert] = in(90)
	ca.leaf(dir, "client", want[CredentialCert])
	expect(want)
	delete(want, CredentialCA)
	if err := os.Remove(caFile); err != nil {
		t.Fatal(err)
	}
	expect(want, CredentialCA)
}
