package awskms

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// With derivation = "file" the derivation key is no key of KMS but 32 random
// bytes in a file of mode 0600, made once and never written again.

const secretSize = 32

// openSecret reads the file. Where there is none it may be made, but only for
// a node that enrols: one that is in the manifest has lost its secret and must
// have the old one back.
func openSecret(path string, mayMake bool) (*secret.Bytes, error) {
	data, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if !mayMake {
		return nil, fmt.Errorf("derivation secret %s: %w: the shares of this node are sealed with it: "+
			"put the file back from its backup (a new one is made only at enrolment, by frost-worker enroll, while there is "+
			"no manifest)", path, fs.ErrNotExist)
	}
	if err := makeSecret(path); err != nil && !errors.Is(err, fs.ErrExist) { // another process made it meanwhile
		return nil, err
	}
	return readSecret(path)
}

// makeSecret gives the file its name when it is complete, whatever happens in
// between, and never in place of another.
func makeSecret(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of derivation secret: %w", err)
	}
	data := make([]byte, secretSize)
	defer clear(data)
	if _, err := rand.Read(data); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("make derivation secret: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path)
	}
	if err == nil {
		err = errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))) // dir may be new too
	}
	if err != nil {
		return fmt.Errorf("write derivation secret %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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

// deriveFrom is what KMS computes with HMAC_SHA_256.
func deriveFrom(key *secret.Bytes, label []byte) [32]byte {
	mac := hmac.New(sha256.New, key.Expose())
	mac.Write(label)
	sum := mac.Sum(nil)
	defer clear(sum)
	return [32]byte(sum)
}
