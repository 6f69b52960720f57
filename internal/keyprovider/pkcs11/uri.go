package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11/uri"
	"github.com/frostfleet/frostfleet/internal/secret"
)

const maxPIN = 256 // bytes of a PIN file

// MergeURI puts what an RFC 7512 URI says into the options:
//
//	pkcs11:token=node-0;object=frost-identity?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/frost/pin
//
// Attributes are token, object (the identity key), slot-id and, behind the
// question mark, module-path, pin-value and pin-source (a file). An attribute
// that it does not know is an error, and so is one that says otherwise than
// the options do, or a PIN where they have one. After an error the options are
// as they were. Errors never quote a value, which may be a PIN.
func (o *Options) MergeURI(text string) error {
	a, err := uri.Parse(text)
	if err != nil {
		return fmt.Errorf("pkcs11 uri: %w", err)
	}
	merged := *o
	if err := merged.merge(a); err != nil {
		return fmt.Errorf("pkcs11 uri: %w", err)
	}
	*o = merged
	return nil
}

func (o *Options) merge(a map[string]string) error {
	for name, field := range map[string]*string{"token": &o.TokenLabel, "object": &o.KeyLabel, "module-path": &o.Library} {
		value, there := a[name]
		if there && *field != "" && *field != value {
			return fmt.Errorf("%s is another than the configuration's", name)
		}
		if there {
			*field = value
		}
	}
	if text, there := a["slot-id"]; there {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return errors.New("slot-id is no number")
		}
		slot := uint(n)
		if o.Slot != nil && *o.Slot != slot {
			return errors.New("slot-id is another than the configuration's")
		}
		o.Slot = &slot
	}
	return o.mergePIN(a)
}

func (o *Options) mergePIN(a map[string]string) error {
	value, hasValue := a["pin-value"]
	source, hasSource := a["pin-source"]
	switch {
	case !hasValue && !hasSource:
		return nil
	case hasValue && hasSource:
		return errors.New("pin-value and pin-source exclude each other")
	case o.PIN != nil:
		return errors.New("it has a PIN, and the configuration has one too")
	case hasValue:
		o.PIN = fixedPIN(secret.New([]byte(value)))
		return nil
	}
	if path, found := strings.CutPrefix(source, "file:"); found {
		source = strings.TrimPrefix(path, "//")
	}
	if !filepath.IsAbs(source) {
		return errors.New("pin-source is no absolute path of a file, with or without file: before it")
	}
	o.PIN = pinFile(source)
	return nil
}

// fixedPIN gives copies of a PIN that the caller keeps.
func fixedPIN(pin *secret.Bytes) PINSource {
	return func(context.Context) (*secret.Bytes, error) { return secret.New(bytes.Clone(pin.Expose())), nil }
}

// pinFile reads the PIN at each login, so that mending the file is enough. A
// line break at the end is not part of it.
func pinFile(path string) PINSource {
	return func(context.Context) (*secret.Bytes, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("PIN file: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("PIN file: %w", err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return nil, fmt.Errorf("PIN file %s has mode %04o, so that others can reach it: chmod 600 %s", path, mode, path)
		}
		data, err := io.ReadAll(io.LimitReader(f, maxPIN+3))
		if err != nil {
			clear(data)
			return nil, fmt.Errorf("read PIN file: %w", err)
		}
		pin := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
		if len(pin) == 0 || len(pin) > maxPIN || bytes.ContainsAny(pin, "\x00\r\n") {
			clear(data)
			return nil, fmt.Errorf("PIN file %s does not hold one line of 1 to %d bytes", path, maxPIN)
		}
		return secret.New(pin), nil
	}
}
