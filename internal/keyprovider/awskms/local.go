package awskms

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// variables of the AWS SDK. A line end or a blank at the end of one, which a
// shell or an editor left there, makes requests that look like an outage.
var variables = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE",
	"AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS",
}

// Bounds in bytes, far above what is real: session tokens have some 2,000.
const (
	maxVariable = 16 << 10
	maxShared   = 1 << 20
)

// checkSettings finds what is wrong with the AWS settings of this machine, its
// environment and shared files, without a word to AWS. It repeats no value.
func checkSettings() error {
	var errs []error
	for _, name := range variables {
		value := os.Getenv(name)
		if value == "" {
			continue // as good as unset
		}
		_, err := secret.ParseLine([]byte(value), maxVariable)
		if strings.ContainsAny(value, "\r\n") {
			err = errors.New("holds a line end")
		}
		if err != nil {
			errs = append(errs, badMachine(fmt.Sprintf("the environment variable %s %v", name, err),
				"set it anew, to the value alone"))
		}
	}
	home, _ := os.UserHomeDir()
	for _, f := range []struct{ variable, name string }{
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"}, {"AWS_CONFIG_FILE", "config"},
	} {
		path := cmp.Or(os.Getenv(f.variable), filepath.Join(home, ".aws", f.name))
		text, err := secret.File{What: "AWS " + f.name + " file", Path: path, Max: maxShared, Public: true}.Text()
		text.Wipe()
		var bad *secret.FileError
		if errors.Is(err, secret.ErrText) && errors.As(err, &bad) { // the SDK has words for the rest
			short := *bad
			short.Remedy = ""
			errs = append(errs, badMachine(short.Error(), bad.Remedy))
		}
	}
	return errors.Join(errs...)
}

func badMachine(what, remedy string) error {
	return &keyprovider.Error{Reason: keyprovider.Credentials, Provider: Type, Action: "load", Remedy: remedy,
		Err: errors.New(what)}
}

// checkNames returns an error if a key name is none that KMS knows.
func (s *Section) checkNames() error {
	var errs []error
	for _, k := range []struct{ setting, name string }{
		{identityRole.setting, s.KeyID}, {derivationRole.setting, s.DerivationKeyID},
	} {
		if _, err := parseKeyName(k.name); err != nil && k.name != "" {
			errs = append(errs, fmt.Errorf("%s %w", k.setting, err))
		}
	}
	return errors.Join(errs...)
}
