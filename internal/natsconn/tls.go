package natsconn

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// TLS is what a connection trusts and shows: the content of tls_ca, tls_cert and
// tls_key, judged together. It does not change.
type TLS struct {
	authorities []*x509.Certificate // none: the system's
	roots       *x509.CertPool      // of the authorities; nil: the system's
	cert        *tls.Certificate    // with its key; nil: none
}

// TLSFiles lists those of the files that TLS is made of.
func (f *Files) TLSFiles() (files []secret.File) {
	for _, one := range f.tls() {
		if one.Path != "" {
			files = append(files, one.File)
		}
	}
	return files
}

// tlsFile is one of them, with how an error calls it.
type tlsFile struct {
	setting string
	secret.File
	tool  string // of openssl, which reads it in another form
	check func(path string, text []byte) error
}

func (f *Files) tls() []tlsFile {
	return []tlsFile{
		{"tls_ca", secret.File{What: "file", Path: f.TLSCA, Max: maxFile, Public: true}, "x509", checkCertificates},
		{"tls_cert", secret.File{What: "file", Path: f.TLSCert, Max: maxFile, Public: true}, "x509", checkCertificates},
		{"tls_key", secret.File{What: "file", Path: f.TLSKey, Max: maxFile}, "pkey", checkPrivateKey},
	}
}

// read reads it, and has a word for DER.
func (f tlsFile) read() (*secret.Bytes, error) {
	data, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	defer data.Wipe()
	if der := data.Expose(); len(der) > 2 && der[0] == 0x30 && der[1]&0x80 != 0 {
		return nil, fmt.Errorf("file %s is DER, not PEM: openssl %s -inform der -in %s -out NEW.pem", f.Path, f.tool, f.Path)
	}
	return f.Text()
}

// TLSOf makes a TLS of what TLSFiles hold, in their order: of all of them, or of none.
func (f *Files) TLSOf(texts [][]byte) (*TLS, error) {
	held := map[string][]byte{}
	for _, one := range f.tls() {
		if one.Path == "" {
			continue
		}
		if err := one.check(one.Path, texts[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", one.setting, err)
		}
		held[one.setting], texts = texts[0], texts[1:]
	}
	t := &TLS{}
	if f.TLSCA != "" {
		t.authorities, _ = certificates(held["tls_ca"]) // checked above
		t.roots = x509.NewCertPool()
		for _, one := range t.authorities {
			t.roots.AddCert(one)
		}
	}
	if f.TLSCert != "" {
		pair, err := f.pair(held["tls_cert"], held["tls_key"])
		if err != nil {
			return nil, fmt.Errorf("tls_key: %w", err)
		}
		t.cert = &pair
	}
	return t, nil
}

// loadTLS reads the files and makes a TLS of them.
func (f *Files) loadTLS() (*TLS, error) {
	var texts [][]byte
	for _, one := range f.tls() {
		if one.Path == "" {
			continue
		}
		text, err := one.read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.setting, err)
		}
		defer text.Wipe()
		texts = append(texts, text.Expose())
	}
	return f.TLSOf(texts)
}

// changes says how another one differs. It is empty if it does not.
func (t *TLS) changes(next *TLS) (all []string) {
	if !slices.EqualFunc(t.authorities, next.authorities, (*x509.Certificate).Equal) {
		end := slices.MaxFunc(next.authorities, byEnd).NotAfter
		all = append(all, fmt.Sprintf("tls_ca has %d certificates, the last of which expires on %s",
			len(next.authorities), end.UTC().Format(time.DateOnly)))
	}
	if next.cert != nil && !slices.EqualFunc(t.cert.Certificate, next.cert.Certificate, bytes.Equal) {
		all = append(all, fmt.Sprintf("tls_cert is of %s and expires on %s, and tls_key is its key",
			next.cert.Leaf.Subject, next.cert.Leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	return all
}

// SetTLS has the connections that are made from now on use what a TLS has, and says how
// it differs from what they used before; the one that is open stays. From the first
// call on the files themselves are not read any more.
//
// What is new is tried first, by logging in a second time. Where all servers that
// answer refuse it, or it refuses them, it is not used, and the error says why: it
// would end this program's way to its servers, at a time that nobody chose. A server
// that does not answer says nothing against it.
func (c *Conn) SetTLS(ctx context.Context, next *TLS) (changed []string, err error) {
	if changed = c.tls.Load().changes(next); len(changed) > 0 {
		if err := c.try(ctx, next); err != nil {
			return nil, err
		}
	}
	c.tlsSet.Store(true)
	c.tls.Store(next)
	return changed, nil
}

// try finds what speaks against another TLS. It asks server by server: of several, nats.go
// tells the last one's error, and nothing of a refusal if that one is down.
func (c *Conn) try(ctx context.Context, next *TLS) error {
	var against error
	for url := range strings.SplitSeq(c.opt.URL, ",") {
		if ctx.Err() != nil {
			return nil
		}
		asking, err := c.ask(strings.TrimSpace(url), next)
		if err == nil {
			asking.Close()
			return nil
		}
		if isTLSProblem(err) {
			against = err
		}
	}
	if against == nil {
		return nil
	}
	return c.explain(fmt.Errorf("no server of %s goes with it: %w", c.Server(), against))
}

// ask logs in once more, beside the connection that there is.
func (c *Conn) ask(url string, with *TLS) (*nats.Conn, error) {
	opts, err := c.opt.Files.login()
	if err != nil {
		return nil, err
	}
	opts = append(opts, tlsOption(with, func() *TLS { return with }),
		nats.Name(c.opt.Name), nats.NoReconnect(), nats.Timeout(dialTime))
	return nats.Connect(url, opts...)
}

// isTLSProblem reports whether what one side showed is not good for the other.
func isTLSProblem(err error) bool {
	return isA[x509.UnknownAuthorityError](err) || isA[x509.CertificateInvalidError](err) || isTLSRefusal(err)
}

// tlsOption has nats.go ask for the TLS of each connection. All have the same files as
// the first.
func tlsOption(first *TLS, now func() *TLS) nats.Option {
	return func(o *nats.Options) error {
		if first.roots == nil && first.cert == nil {
			return nil
		}
		o.Secure = true
		if o.TLSConfig == nil {
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if first.roots != nil {
			o.RootCAsCB = func() (*x509.CertPool, error) { return now().roots, nil }
		}
		if first.cert != nil {
			o.TLSCertCB = func() (tls.Certificate, error) { return *now().cert, nil }
		}
		return nil
	}
}

// nextTLS is for the next connection. Until somebody sets one it is as the files are,
// or as they were while they can't be used.
func (c *Conn) nextTLS() *TLS {
	if !c.tlsSet.Load() {
		if next, err := c.opt.Files.loadTLS(); err == nil {
			c.tls.Store(next)
		}
	}
	return c.tls.Load()
}

// pair is a certificate with its key.
func (f *Files) pair(cert, key []byte) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return pair, nil
	case strings.Contains(err.Error(), "parse private key"):
		return pair, fmt.Errorf("file %s holds a private key that cannot be read: it must be PKCS #8, PKCS #1 or SEC 1",
			f.TLSKey)
	}
	return pair, fmt.Errorf("file %s is not the key of the certificate in tls_cert %s", f.TLSKey, f.TLSCert)
}
