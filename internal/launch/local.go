package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// requireDerivationKey ends a node that can't work, as its file names no
// derivation key, before anything else is waited for. It asks no device.
func requireDerivationKey(n *config.Node) error {
	if n.Node.KeyProvider.Type != config.AWSKMS {
		return nil
	}
	return awskms.CanDerive(kmsOptions(n))
}

// CheckProvider finds what is wrong with a node's key provider that this
// machine alone can tell: files, environment, what no device is needed for. A
// node that enrols has no secrets yet.
func CheckProvider(n *config.Node, enrolling bool) error {
	p := &n.Node.KeyProvider
	errs := []error{requireDerivationKey(n)}
	switch p.Type {
	case config.Software:
		errs = append(errs, checkSoftware(n))
	case config.AWSKMS:
		errs = append(errs, awskms.CheckNames(kmsOptions(n)), awskms.CheckMachine())
		if p.Derivation == config.DerivationFile && !(enrolling && !hasManifest(n)) {
			path := filepath.Join(n.Node.StoragePath, derivationFile)
			kept, err := secret.File{What: "derivation secret", Path: path, Max: 1 << 10}.Bytes()
			kept.Wipe()
			errs = append(errs, err)
		}
	case config.PKCS11:
		errs = append(errs, checkToken(n))
	}
	return errors.Join(errs...)
}

func checkSoftware(n *config.Node) error {
	p := &n.Node.KeyProvider
	provider, err := software.Open(software.Options{Path: p.KeyFile, Network: n.Network.Type, AllowInsecure: p.AllowInsecure})
	if err != nil {
		return err
	}
	return provider.Close()
}

// checkToken looks at the library and reads the PIN, if a file holds it. The
// library is not loaded: its code may talk to the device.
func checkToken(n *config.Node) error {
	options, keeper, err := TokenOptions(n, ProviderOptions{})
	if err != nil {
		return err
	}
	keeper.Wipe()
	var errs []error
	switch info, err := os.Stat(options.Library); {
	case err != nil:
		errs = append(errs, fmt.Errorf("%s: pkcs11_library: %w: name the library (.so) of the token's maker", n.Path(), err))
	case !info.Mode().IsRegular():
		errs = append(errs, fmt.Errorf("%s: pkcs11_library: %s is not a regular file", n.Path(), options.Library))
	}
	if path := n.Node.KeyProvider.PinFile; path != "" {
		given, err := pin.File(path)(context.Background())
		given.Wipe()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// CheckStorage wants a directory for the keystore.
func CheckStorage(n *config.Node) error {
	return CheckDirectory("node.storage_path", n.Node.StoragePath)
}

// CheckDirectory wants a directory that this user may write to, or make: a
// program makes its own.
func CheckDirectory(key, path string) error {
	there := path
	info, err := os.Stat(there)
	for errors.Is(err, fs.ErrNotExist) && there != filepath.Dir(there) {
		there = filepath.Dir(there)
		info, err = os.Stat(there)
	}
	const mayWrite = 0x2 | 0x1 // W_OK, X_OK
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", key, err)
	case !info.IsDir():
		return fmt.Errorf("%s: %s is not a directory", key, there)
	case syscall.Access(there, mayWrite) != nil && there != path:
		return fmt.Errorf("%s: %s does not exist, and this user may not make it: install -d -m 700 -o USER %s, for the user that runs the program", key, path, path)
	case syscall.Access(there, mayWrite) != nil:
		return fmt.Errorf("%s: this user may not write to %s: run the program as its owner, or chown it", key, path)
	}
	return nil
}
