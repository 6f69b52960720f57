package natsconn

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// TestSetTLSBesideServersThatAreDown: one server that answers, and refuses, speaks against what
// is new, whichever others are down; and one that takes it is enough.
func TestSetTLSBesideServersThatAreDown(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	ca, other := newAuthority(t, year), newAuthority(t, year)
	up := tlsServer(t, ca, year, new(tls.Config))
	urls := []string{up}
	for range 3 {
		l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		urls = append(urls, "tls://"+l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	files := Files{TLSCA: ca.file(dir)}
	c := connect(t, Options{URL: strings.Join(urls, ","), Files: files})
	other.file(dir)
	bad := must[*TLS](t)(files.TLSOf(texts(t, &files)))
	for range 8 { // nats.go asks in any order
		if changed, err := c.SetTLS(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "tls_ca "+files.TLSCA) {
			t.Fatalf("the one server that is up refuses it: %q, %v", changed, err)
		}
	}
	writeFile(t, files.TLSCA, append(certPEM(ca.cert), certPEM(other.cert)...))
	if changed, err := c.SetTLS(t.Context(), must[*TLS](t)(files.TLSOf(texts(t, &files)))); err != nil || len(changed) != 1 {
		t.Errorf("%q, %v", changed, err)
	}
}
