package awskms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// With derivation = "file" the derivation key is no key of KMS but 32 random
// bytes in a file of mode 0600, made once and never written again.

const secretSize = 32

// openSecret reads the file. Where there is none it may be made, but only for
// a node that enrols: one that is in the manifest has lost its secret and must
// have the old one back.
func openSecret(path string, mayMake bool) (*secret.Bytes, error) {
	kept, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	if !mayMake {
		return nil, fmt.Errorf("derivation secret %s: %w: the shares of this node are sealed with it: "+
			"put the file back from its backup (a new one is made only at enrolment, by frost-worker enroll, while there is "+
			"no manifest)", path, fs.ErrNotExist)
	}
	data := make([]byte, secretSize)
	defer clear(data)
	_, _ = rand.Read(data) // never fails
	err = secret.Create(path, data)
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process made it meanwhile
		return nil, fmt.Errorf("make derivation secret: %w", err)
	}
	return readSecret(path)
}

func readSecret(path string) (*secret.Bytes, error) {
	data, err := secret.File{What: "derivation secret", Path: path, Max: 1 << 10}.Bytes()
	if err != nil {
		return nil, err
	}
	if size := len(data.Expose()); size != secretSize {
		data.Wipe()
		return nil, fmt.Errorf("derivation secret %s has %d bytes, not %d: put the file back from its backup; "+
			"only if this node never had a share, remove it and enrol anew", path, size, secretSize)
	}
	return data, nil
}
