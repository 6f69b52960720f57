package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
// Attributes are those of the token (token, manufacturer, model, serial,
// slot-id), of the identity key (object, id, type) and, behind the question
// mark, module-path, pin-value and pin-source (a file), as p11tool prints them.
// An attribute
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
	for name, field := range map[string]*string{"token": &o.TokenLabel, "object": &o.KeyLabel, "module-path": &o.Library,
		"manufacturer": &o.Manufacturer, "model": &o.Model, "serial": &o.Serial} {
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
	if id, there := a["id"]; there {
		o.KeyID = []byte(id)
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
		pin, err := secret.ParseLine([]byte(value), maxPIN)
		if err != nil {
			return fmt.Errorf("pin-value %w", err)
		}
		o.PIN = fixedPIN(pin)
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

// pinFile reads the PIN at each login, so that correcting the file is enough.
func pinFile(path string) PINSource {
	return func(context.Context) (*secret.Bytes, error) {
		return secret.File{What: "PIN file", Path: path, Max: maxPIN}.Line()
	}
}
