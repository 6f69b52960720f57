package natsconn

import (
	"bytes"
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
	if f.Credentials != "" {
		if _, err := readCredentials(f.Credentials); err != nil {
			report("credentials", err)
		}
	}
	if (f.TLSCert == "") != (f.TLSKey == "") {
		report("tls_cert", errors.New("and tls_key belong together: set both or neither"))
	}
	good := map[string][]byte{}
	for _, one := range f.tls() {
		if one.Path == "" {
			continue
		}
		text, err := one.read()
		if err == nil {
			defer text.Wipe()
			err = one.check(one.Path, text.Expose())
		}
		switch {
		case err == nil:
			good[one.setting] = text.Expose()
		case one.setting == "tls_ca":
			report(one.setting, fmt.Errorf("%w: it must be the PEM file of the authority that signed the NATS server's "+
				"certificate", err))
		default:
			report(one.setting, err)
		}
	}
	if cert, key := good["tls_cert"], good["tls_key"]; cert != nil && key != nil {
		if _, err := f.pair(cert, key); err != nil {
			report("tls_key", err)
		}
	}
}

// checked checks every file, so that a bad one is an error that names it and not a
// connection which fails for ever.
func (f *Files) checked() (err error) {
	f.Check(func(setting string, bad error) { err = errors.Join(err, fmt.Errorf("%s: %w", setting, bad)) })
	return err
}

// login is how a connection says who it is. nats.go reads the file again at each
// connection: a renewed one counts from the next on.
func (f *Files) login() ([]nats.Option, error) {
	if f.Credentials == "" {
		return nil, nil
	}
	opt, err := readCredentials(f.Credentials)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return []nats.Option{opt}, nil
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

func checkCertificates(path string, text []byte) error {
	if _, err := certificates(text); err != nil {
		return fmt.Errorf("file %s %w", path, err)
	}
	return nil
}

func checkPrivateKey(path string, text []byte) error {
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
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
