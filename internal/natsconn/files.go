package natsconn

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Files are the paths of what a connection needs to be let in, as a configuration
// has them. All may be empty.
type Files struct {
	Credentials string `toml:"credentials"` // a .creds file (JWT and seed), or an nkey seed alone
	TLSCA       string `toml:"tls_ca"`      // PEM, as the next two
	TLSCert     string `toml:"tls_cert"`
	TLSKey      string `toml:"tls_key"`
}

// maxFile is far above any real file: a JWT has a few kilobytes.
const maxFile = 1 << 20

// Check reads the files. It reports each that no connection could use, by the name
// of its setting. No error repeats what is in a file.
func (f *Files) Check(report func(setting string, err error)) {
	check := func(setting, path string, read func(string) error) bool {
		if path == "" {
			return false
		}
		err := read(path)
		if err != nil {
			report(setting, err)
		}
		return err == nil
	}
	check("credentials", f.Credentials, func(path string) error { _, err := readCredentials(path); return err })
	check("tls_ca", f.TLSCA, func(path string) error {
		if err := checkCertificates(path); err != nil {
			return fmt.Errorf("%w: it must be the PEM file of the authority that signed the NATS server's certificate", err)
		}
		return nil
	})
	if (f.TLSCert == "") != (f.TLSKey == "") {
		report("tls_cert", errors.New("and tls_key belong together: set both or neither"))
	}
	cert := check("tls_cert", f.TLSCert, checkCertificates)
	if check("tls_key", f.TLSKey, checkPrivateKey) && cert {
		check("tls_key", f.TLSKey, f.checkPair)
	}
}

// options checks every file, so that a bad one is an error that names it and not a
// connection which fails for ever. nats.go reads the files again at each
// connection: renewed ones count from the next on.
func (f *Files) options() (opts []nats.Option, err error) {
	f.Check(func(setting string, bad error) { err = errors.Join(err, fmt.Errorf("%s: %w", setting, bad)) })
	if err != nil {
		return nil, err
	}
	if f.TLSCA != "" {
		opts = append(opts, nats.RootCAs(f.TLSCA))
	}
	if f.TLSCert != "" {
		opts = append(opts, nats.ClientCert(f.TLSCert, f.TLSKey))
	}
	if f.Credentials != "" {
		opt, err := readCredentials(f.Credentials)
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		opts = append(opts, opt)
	}
	return opts, nil
}

// readCredentials takes a .creds file or the seed of a user.
func readCredentials(path string) (nats.Option, error) {
	text, err := secret.File{What: "file", Path: path, Max: maxFile}.Text()
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	byJWT := bytes.Contains(text.Expose(), []byte("NATS USER JWT"))
	if token, err := nkeys.ParseDecoratedJWT(text.Expose()); byJWT && (err != nil || strings.Count(token, ".") != 2) {
		return nil, fmt.Errorf("file %s is a .creds file without a JWT between its marks", path)
	}
	pair, err := nkeys.ParseDecoratedNKey(text.Expose())
	if err != nil {
		return nil, fmt.Errorf("file %s is neither a .creds file nor an nkey seed (SU...): get it from the NATS server's "+
			"administrator (nsc generate creds, or nk -gen user)", path)
	}
	defer pair.Wipe()
	if public, err := pair.PublicKey(); err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, fmt.Errorf("file %s holds the seed of an account, an operator or a server: a user's begins with SU", path)
	}
	if byJWT {
		return nats.UserCredentials(path), nil
	}
	return nats.NkeyOptionFromSeed(path)
}

// readPEM reads a file of PEM blocks, and has a word for DER.
func readPEM(f secret.File, tool string) (*secret.Bytes, error) {
	f.What, f.Max = "file", maxFile
	data, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	defer data.Wipe()
	if der := data.Expose(); len(der) > 2 && der[0] == 0x30 && der[1]&0x80 != 0 {
		return nil, fmt.Errorf("file %s is DER, not PEM: openssl %s -inform der -in %s -out NEW.pem", f.Path, tool, f.Path)
	}
	return f.Text()
}

func checkCertificates(path string) error {
	text, err := readPEM(secret.File{Path: path, Public: true}, "x509")
	if err != nil {
		return err
	}
	if _, err := certificates(text.Expose()); err != nil {
		return fmt.Errorf("file %s %w", path, err)
	}
	return nil
}

func checkPrivateKey(path string) error {
	text, err := readPEM(secret.File{Path: path}, "pkey")
	if err != nil {
		return err
	}
	defer text.Wipe()
	found := false
	for block, rest := pem.Decode(text.Expose()); block != nil; block, rest = pem.Decode(rest) {
		defer clear(block.Bytes)
		if strings.HasPrefix(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("file %s is encrypted, and nobody is asked for the pass phrase: "+
				"openssl pkey -in %s -out NEW.pem", path, path)
		}
		found = found || strings.HasSuffix(block.Type, "PRIVATE KEY")
	}
	if !found {
		return fmt.Errorf("file %s holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", path)
	}
	return nil
}

func (f *Files) checkPair(path string) error {
	_, err := tls.LoadX509KeyPair(f.TLSCert, path)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "parse private key"):
		return fmt.Errorf("file %s holds a private key that cannot be read: it must be PKCS #8, PKCS #1 or SEC 1", path)
	}
	return fmt.Errorf("file %s is not the key of the certificate in tls_cert %s", path, f.TLSCert)
}
