package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// maxPEM bounds the files of [bus] in bytes. It is far above any real one.
const maxPEM = 1 << 20

// file reports what read says of the file that a key names, if it names one.
func (s *source) file(key, path string, read func(string) error) bool {
	if path == "" {
		return true
	}
	err := read(path)
	if err != nil {
		s.fail(key, "%v", err)
	}
	return err == nil
}

// busFiles reads what a connection to NATS needs.
func (s *source) busFiles(b *Bus) {
	s.file("bus.credentials", b.Credentials, checkCredentials)
	s.file("bus.tls_ca", b.TLSCA, checkCertificates)
	cert := s.file("bus.tls_cert", b.TLSCert, checkCertificates)
	if s.file("bus.tls_key", b.TLSKey, checkPrivateKey) && cert && b.TLSCert != "" && b.TLSKey != "" {
		s.file("bus.tls_key", b.TLSKey, func(key string) error { return checkPair(b.TLSCert, key) })
	}
}

func keyFile(path string) error {
	key, err := LoadKey(path)
	clear(key)
	return err
}

// checkCredentials wants a .creds file (a JWT and a seed) or an nkey seed.
func checkCredentials(path string) error {
	text, err := secret.File{What: "file", Path: path, Max: maxPEM}.Text()
	if err != nil {
		return err
	}
	defer text.Wipe()
	if bytes.Contains(text.Expose(), []byte("NATS USER JWT")) {
		if token, err := nkeys.ParseDecoratedJWT(text.Expose()); err != nil || strings.Count(token, ".") != 2 {
			return fmt.Errorf("file %s is a .creds file without a JWT between its marks", path)
		}
	}
	pair, err := nkeys.ParseDecoratedNKey(text.Expose())
	if err != nil {
		return fmt.Errorf("file %s is neither a .creds file nor an nkey seed (SU...)", path)
	}
	defer pair.Wipe()
	if public, err := pair.PublicKey(); err != nil || !nkeys.IsValidPublicUserKey(public) {
		return fmt.Errorf("file %s holds the seed of an account, an operator or a server: a user's begins with SU", path)
	}
	return nil
}

// readPEM reads a file of PEM blocks, and has a word for DER.
func readPEM(f secret.File, tool string) (*secret.Bytes, error) {
	f.What, f.Max = "file", maxPEM
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
	found := false
	for block, rest := pem.Decode(text.Expose()); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("file %s holds a certificate that cannot be read: %w", path, err)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("file %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path)
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
			return fmt.Errorf("file %s is encrypted, and nobody is asked for the pass phrase: openssl pkey -in %s -out NEW.pem", path, path)
		}
		found = found || strings.HasSuffix(block.Type, "PRIVATE KEY")
	}
	if !found {
		return fmt.Errorf("file %s holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", path)
	}
	return nil
}

func checkPair(certPath, keyPath string) error {
	cert, err := secret.File{What: "file", Path: certPath, Max: maxPEM, Public: true}.Text()
	if err != nil {
		return err
	}
	key, err := secret.File{What: "file", Path: keyPath, Max: maxPEM}.Text()
	if err != nil {
		return err
	}
	defer key.Wipe()
	if _, err = tls.X509KeyPair(cert.Expose(), key.Expose()); err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "parse private key") {
		return errors.New("file " + keyPath + " holds a private key that cannot be read: it must be PKCS #8, PKCS #1 or SEC 1")
	}
	return fmt.Errorf("file %s is not the key of the certificate in bus.tls_cert", keyPath)
}
