package software

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/frostfleet/frostfleet/internal/secret"
)

const (
	fileVersion    = 1
	maxFile        = 16 << 10 // bytes; a key file has some 350
	derivationSize = 32
)

// file is the key file. encoding/json writes []byte in base64.
type file struct {
	Version    int    `json:"version"`
	Warning    string `json:"warning,omitempty"`
	Identity   []byte `json:"identity"`   // PKCS#8 DER, P-256
	Derivation []byte `json:"derivation"` // 32 bytes
}

// Generate writes a fresh key file of mode 0600, durable when it returns, and
// its folder. A file that exists is never touched: the error wraps fs.ErrExist.
func Generate(path string) error {
	data, err := newFile()
	if err != nil {
		return fmt.Errorf("make identity key: %w", err)
	}
	defer clear(data)
	err = secret.Create(path, data)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("key file %s exists and is not replaced, as a node's shares depend on it: %w", path, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("make key file: %w", err)
	}
	return nil
}

func newFile() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	derivation := make([]byte, derivationSize)
	defer clear(derivation)
	_, _ = rand.Read(derivation) // never fails
	data, err := json.MarshalIndent(file{fileVersion, inTheClear, der, derivation}, "", "  ")
	return append(data, '\n'), err
}

func readFile(path string) (*keys, error) {
	data, err := secret.File{What: "key file", Path: path, Max: maxFile}.Text()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s: %w: make one with frost-worker provision, or correct key_file",
			path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer data.Wipe()
	k, err := parse(data.Expose())
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}

// parse reads a key file strictly. Its errors say nothing of the content,
// which encoding/json and crypto/x509 might quote.
func parse(data []byte) (*keys, error) {
	var in file
	defer func() { clear(in.Identity); clear(in.Derivation) }()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("not a key file: bad JSON, an unknown key, or a value of the wrong type by byte %d",
			dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	if in.Version != fileVersion {
		return nil, fmt.Errorf("version %d: this program reads version %d", in.Version, fileVersion)
	}
	if len(in.Derivation) != derivationSize {
		return nil, fmt.Errorf("derivation has %d bytes, not %d", len(in.Derivation), derivationSize)
	}
	any, err := x509.ParsePKCS8PrivateKey(in.Identity)
	if err != nil {
		return nil, errors.New("identity is not a PKCS#8 private key")
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("identity is not a P-256 key")
	}
	return newKeys(key, bytes.Clone(in.Derivation)), nil
}
