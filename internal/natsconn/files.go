package natsconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// fileOptions checks every file, so that a bad one is an error that names it
// and not a connection which fails for ever. nats.go reads the files again at
// each connection: renewed ones count from the next on.
func (o *Options) fileOptions() (opts []nats.Option, err error) {
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("tls_cert and tls_key go together: set both or neither")
	}
	if o.TLSCA != "" {
		content, err := secret.File{What: "file", Path: o.TLSCA, Max: maxFile, Public: true}.Text()
		if err == nil {
			_, err = certificates(content.Expose())
		}
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w: it must be the PEM file of the authority "+
				"that signed the NATS server's certificate", named(o.TLSCA, err))
		}
		opts = append(opts, nats.RootCAs(o.TLSCA))
	}
	if o.TLSCert != "" {
		key, err := secret.File{What: "file", Path: o.TLSKey, Max: maxFile}.Text()
		if err != nil {
			return nil, fmt.Errorf("tls_key: %w", err)
		}
		key.Wipe()
		if _, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey); err != nil {
			return nil, fmt.Errorf("tls_cert %s, tls_key %s: %w: they must be the PEM files of a certificate "+
				"and of its own private key", o.TLSCert, o.TLSKey, err)
		}
		opts = append(opts, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	if o.Credentials != "" {
		opt, err := credentials(o.Credentials)
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", named(o.Credentials, err))
		}
		opts = append(opts, opt)
	}
	return opts, nil
}

// named puts the path before an error that does not have it.
func named(path string, err error) error {
	if _, ok := errors.AsType[*secret.FileError](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

var errCredentials = errors.New("neither a .creds file nor an nkey seed of a user: " +
	"get the file from the NATS server's administrator (nsc generate creds, or nk -gen user)")

// credentials takes a .creds file (JWT and seed) or a bare nkey seed. The error
// never repeats what is in the file.
func credentials(path string) (nats.Option, error) {
	text, err := secret.File{What: "file", Path: path, Max: maxFile}.Text()
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	content := text.Expose()
	key, err := nkeys.ParseDecoratedUserNKey(content)
	if err != nil {
		return nil, errCredentials
	}
	key.Wipe()
	if bytes.Contains(content, []byte("NATS USER JWT")) {
		return nats.UserCredentials(path), nil
	}
	return nats.NkeyOptionFromSeed(path)
}

// maxFile is far above any real file: a JWT has a few kilobytes.
const maxFile = 1 << 20
