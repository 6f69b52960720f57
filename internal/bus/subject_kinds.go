package bus

import (
	"fmt"
	"strings"
)

const (
	idLen   = 32 // a batch or session id, hexadecimal
	hashLen = 64 // SHA-256, hexadecimal
)

// BatchFilter matches everything about one batch. The slots themselves are
// named by internal/protocol, which knows what stands in them.
func BatchFilter(batch string) (string, error) {
	if err := checkHex(batch, idLen); err != nil {
		return "", err
	}
	return "dkg." + batch + ".>", nil
}

// Manifests are all manifests in KEYS.
const Manifests = "manifest.*"

// ManifestSubject is manifest.<hash>, the hash in lower-case hexadecimal.
func ManifestSubject(hash string) (string, error) {
	if err := checkHex(hash, hashLen); err != nil {
		return "", err
	}
	return "manifest." + hash, nil
}

func split(subject string, n int) ([]string, error) {
	t := strings.SplitN(subject, ".", n+1)
	if len(t) != n {
		return nil, fmt.Errorf("%w: %q must have %d tokens", ErrSubject, clip(subject), n)
	}
	return t, nil
}

// splitAs wants n tokens, the first one given, the others well-formed.
func splitAs(subject, first string, n int) ([]string, error) {
	t, err := split(subject, n)
	if err != nil {
		return nil, err
	}
	if t[0] != first {
		return nil, fmt.Errorf("%w: %q must start with %s", ErrSubject, clip(subject), first)
	}
	return t, checkTokens(t[1:]...)
}

func checkTokens(tokens ...string) error {
	for _, t := range tokens {
		if err := CheckToken(t); err != nil {
			return err
		}
	}
	return nil
}
