package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// Backend is HSMs and smart cards, through their PKCS#11 library.
func Backend() keyprovider.Backend {
	return keyprovider.Backend{
		Type: name, Section: func() keyprovider.Section { return new(Section) },
		Operations: []string{keyprovider.OpSign, keyprovider.OpDerive, keyprovider.OpPublicKey, keyprovider.OpLogin},
	}
}

// Section is [node.key_provider] with type = "pkcs11".
type Section struct {
	Library            string             `toml:"pkcs11_library"`       // path of the token's .so
	Slot               *uint              `toml:"slot"`                 // the token's slot, or
	TokenLabel         string             `toml:"token_label"`          // its label; with both, both must hold
	KeyLabel           string             `toml:"key_label"`            // of the identity key
	DerivationKeyLabel string             `toml:"derivation_key_label"` // empty: the provider can't derive
	Derivation         string             `toml:"derivation"`           // HMAC or ECDH insist on a kind of key
	Pin                keyprovider.Secret `toml:"pin"`                  // nil: none here; ${NAME} is resolved by Check
	PINFile            string             `toml:"pin_file"`             // path
	URI                keyprovider.Secret `toml:"uri"`                  // RFC 7512; Check takes it apart
	InitArgs           string             `toml:"init_args"`            // for C_Initialize; most libraries take none
	Sessions           int                `toml:"sessions"`             // at most so many calls at once; 0: the default
	keyprovider.Device

	manufacturer, model, serial string // of the token, from the uri; may be empty
	keyID                       []byte // CKA_ID of the identity key, from the uri; may be empty

	typed *pin.Typed // a person's PIN, kept over several tries to open
}

// Values of Section.Derivation.
const (
	HMAC = "hmac" // a generic secret, CKM_SHA256_HMAC
	ECDH = "ecdh" // a P-256 key, CKM_ECDH1_DERIVE
)

// Check implements keyprovider.Section.
func (s *Section) Check(t keyprovider.Table, n keyprovider.Node) {
	s.CheckDevice(t, keyprovider.Prices{})
	s.TokenLabel = strings.TrimRight(s.TokenLabel, padding)
	if len(s.TokenLabel) > maxLabel {
		t.Fail("token_label", "is longer than the %d bytes of a token's label", maxLabel)
	}
	if t.Has("pin") {
		if err := s.checkPIN(n.File); err != nil {
			t.Fail("pin", "%v", err)
		}
	}
	if err := s.takeURI(n.File); err != nil {
		t.Fail("uri", "%v", err) // nobody knows what a wrong one lacks
	} else {
		t.Require("pkcs11_library", s.Library)
		t.Require("key_label", s.KeyLabel)
		if s.Slot == nil && s.TokenLabel == "" {
			t.Fail("token_label", "is missing: say which token with token_label, slot or uri")
		}
	}
	if s.KeyLabel != "" && s.DerivationKeyLabel == s.KeyLabel {
		t.Fail("derivation_key_label", "is key_label: identity and derivation are two keys")
	}
	if s.Derivation != "" {
		t.OneOf("derivation", s.Derivation, HMAC, ECDH)
	}
	if strings.ContainsRune(s.InitArgs, 0) {
		t.Fail("init_args", "has a NUL in it")
	}
	if t.Has("sessions") {
		t.Between("sessions", s.Sessions, 1, maxSessions)
	}
	t.Absolute(&s.Library)
	t.Absolute(&s.PINFile)
}

// A token fills up its label, and what it says of its maker, with padding:
// blanks as PKCS #11 wants it, some libraries NUL.
const (
	padding  = " \x00"
	maxLabel = 32 // bytes of a token's label
)

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// checkPIN checks a PIN that stands in the file, under pin or in the uri, and
// puts the value of an environment variable in place of ${NAME}. Errors don't
// repeat what could be a PIN.
func (s *Section) checkPIN(file string) error {
	if s.PINFile != "" {
		return errors.New("and pin_file exclude each other: one place for the PIN")
	}
	text := s.Pin.Expose()
	parsed, err := pin.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: take it out to be asked for the PIN", err)
	}
	parsed.Wipe()
	if !bytes.HasPrefix(text, []byte("${")) {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("holds a PIN in a file of mode %04o that others can read: chmod 600 %s, or use pin_file",
				info.Mode().Perm(), file)
		}
		return nil
	}
	match := variable.FindSubmatch(text)
	if match == nil {
		return errors.New("begins with ${ and is not the name of an environment variable such as ${FROST_PIN}")
	}
	value, set := os.LookupEnv(string(match[1]))
	if !set {
		return fmt.Errorf("names the environment variable %s, which is not set", match[1])
	}
	if s.Pin.Bytes, err = pin.Parse([]byte(value)); err != nil {
		return fmt.Errorf("names the environment variable %s, which %w", match[1], err)
	}
	return nil
}

const needsDerivation = "set derivation_key_label, and make the key with: frost-worker provision --config FILE"

// CanDerive implements keyprovider.Section.
func (s *Section) CanDerive(keyprovider.Node) error {
	if s.DerivationKeyLabel != "" {
		return nil
	}
	return &keyprovider.Error{Reason: keyprovider.CannotDerive, Provider: name, Remedy: needsDerivation,
		Err: keyprovider.ErrCannotDerive}
}

// CheckMachine implements keyprovider.Section: it looks at the library and reads
// the PIN, if a file holds it. The library is not loaded: its code may talk to
// the device.
func (s *Section) CheckMachine(n keyprovider.Node, _ bool) error {
	var errs []error
	switch info, err := os.Stat(s.Library); {
	case err != nil:
		errs = append(errs, fmt.Errorf("%s: pkcs11_library: %w: name the library (.so) of the token's maker", n.File, err))
	case !info.Mode().IsRegular():
		errs = append(errs, fmt.Errorf("%s: pkcs11_library: %s is not a regular file", n.File, s.Library))
	}
	if s.PINFile != "" {
		given, err := pin.File(s.PINFile)(context.Background())
		given.Wipe()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Charges implements keyprovider.Section.
func (s *Section) Charges() keyprovider.Prices { return s.Prices }

// How long opening may take: without a person, and with one who types the PIN.
const (
	openTime = 30 * time.Second
	askTime  = 5 * time.Minute
)

// Open implements keyprovider.Section.
func (s *Section) Open(ctx context.Context, n keyprovider.Node, o keyprovider.Options) (keyprovider.Provider, error) {
	options := s.options(n, o)
	timeout := openTime
	if s.typed != nil {
		timeout = askTime
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p, err := Open(ctx, options)
	if err != nil {
		if s.typed != nil && keyprovider.ReasonOf(err) == keyprovider.PIN {
			s.typed.Forget()
		}
		return nil, err
	}
	return p, nil
}

// DeviceKeys implements keyprovider.Section. Objects of a kind that is not there are none
// to delete: the derivation key is a secret, or a pair for ECDH.
func (s *Section) DeviceKeys(keyprovider.Node) []keyprovider.DeviceKey {
	tool := "pkcs11-tool --module " + keyprovider.ShellWord(s.Library) + " --login --delete-object"
	switch {
	case s.TokenLabel != "":
		tool += " --token-label " + keyprovider.ShellWord(s.TokenLabel)
	case s.Slot != nil:
		tool += fmt.Sprintf(" --slot %d", *s.Slot)
	}
	key := func(use, label string, types ...string) keyprovider.DeviceKey {
		var commands []string
		for _, kind := range types {
			commands = append(commands, fmt.Sprintf("%s --type %s --label %s", tool, kind, keyprovider.ShellWord(label)))
		}
		return keyprovider.DeviceKey{Use: use, Name: "label " + label, Destroy: strings.Join(commands, "; ")}
	}
	keys := []keyprovider.DeviceKey{key(keyprovider.UseIdentity, s.KeyLabel, "privkey", "pubkey")}
	switch {
	case s.DerivationKeyLabel == "":
	case s.Derivation == HMAC:
		keys = append(keys, key(keyprovider.UseDerivation, s.DerivationKeyLabel, "secrkey"))
	case s.Derivation == ECDH:
		keys = append(keys, key(keyprovider.UseDerivation, s.DerivationKeyLabel, "privkey", "pubkey"))
	default:
		keys = append(keys, key(keyprovider.UseDerivation, s.DerivationKeyLabel, "secrkey", "privkey", "pubkey"))
	}
	return keys
}

// Provision implements keyprovider.Section.
func (s *Section) Provision(
	ctx context.Context, n keyprovider.Node, o keyprovider.Options,
) (*keyprovider.Provisioned, error) {
	facts, err := Provision(ctx, s.options(n, o))
	if err != nil {
		return nil, err
	}
	return &keyprovider.Provisioned{Provider: name, Facts: facts}, nil
}

func (s *Section) options(n keyprovider.Node, o keyprovider.Options) Options {
	options := Options{
		Section: *s, AfterWrongPIN: o.AfterWrongPIN, Observe: o.Observe, Log: o.Log,
		Tried: pin.TriedIn(n.Storage, fmt.Sprintf("make sure of the PIN, then frost-worker unlock --config %s", n.File)),
	}
	switch {
	case s.Pin.Bytes != nil:
		options.PIN = pin.Literal(s.Pin.Bytes)
	case s.PINFile != "":
		options.PIN = pin.File(s.PINFile)
	case o.AskPIN != nil:
		if s.typed == nil {
			s.typed = &pin.Typed{Ask: o.AskPIN}
		}
		options.typed, options.PIN = s.typed, s.typed.PIN
		options.AfterWrongPIN = true // whoever types it sees what happens
	}
	return options
}
