package keystore

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// RetiredFile is what stands in a storage directory whose keystore was destroyed: a person
// may read it.
const RetiredFile = "retired.json"

// ErrRetired says that the storage's shares were destroyed on purpose.
var ErrRetired = errors.New("storage was retired")

// Retirement says what became of a storage.
type Retirement struct {
	Version   int       `json:"version"`
	Manifest  string    `json:"manifest"`  // hash of the one whose shares were here, hexadecimal
	Successor string    `json:"successor"` // hash of the one that the keys are under
	Time      time.Time `json:"time"`
}

const (
	retirementVersion = 1
	maxRetirement     = 4 << 10 // bytes
)

// Retire destroys the shares of a storage directory, and says so there. It asks nothing: its
// caller made sure that nobody needs them. The worker must not run. Stopped halfway, it is
// repeated; the storage counts as retired from its first step on.
func Retire(dir string, r Retirement) error {
	path := filepath.Join(dir, FileName)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("retire: %w", err)
	default:
		defer func() { _ = file.Close() }()
		if err := lock(file); err != nil {
			return fmt.Errorf("retire: %w: %s", err, path)
		}
	}
	before, err := Retired(dir)
	if err != nil {
		return err
	}
	if before == nil {
		if err := tombstone(dir, r); err != nil {
			return fmt.Errorf("retire: %w", err)
		}
	}
	if file == nil {
		return nil
	}
	if err := errors.Join(overwrite(file), os.Remove(path), secret.SyncDir(dir)); err != nil {
		return fmt.Errorf("retire: %w", err)
	}
	return nil
}

func tombstone(dir string, r Retirement) error {
	r.Version = retirementVersion
	data, err := json.MarshalIndent(&r, "", "  ")
	if err != nil {
		return err
	}
	return secret.Replace(filepath.Join(dir, RetiredFile), append(data, '\n'))
}

// overwrite puts random bytes in the place of a file's content. On a disk or file system that
// writes elsewhere it erases nothing; what was there is sealed, and its key is the device's.
func overwrite(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.NewOffsetWriter(file, 0), rand.Reader, info.Size()); err != nil {
		return err
	}
	return file.Sync()
}

// Retired tells what became of a storage; nil if it was not retired.
func Retired(dir string) (*Retirement, error) {
	path := filepath.Join(dir, RetiredFile)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxRetirement+1))
	var r Retirement
	switch {
	case err != nil:
	case len(data) > maxRetirement:
		err = fmt.Errorf("more than %d bytes", maxRetirement)
	default:
		err = json.Unmarshal(data, &r)
	}
	if err == nil && r.Version != retirementVersion {
		err = fmt.Errorf("format %d, and this program reads %d", r.Version, retirementVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("%w, and %s can't be read: %w", ErrRetired, path, err)
	}
	return &r, nil
}

// refuseRetired fails for a storage that was retired, and says where its keys are.
func refuseRetired(dir string) error {
	r, err := Retired(dir)
	if err != nil || r == nil {
		return err
	}
	return fmt.Errorf("%w: %s, of manifest %s, on %s: its keys are under manifest %s", ErrRetired, dir, r.Manifest,
		r.Time.UTC().Format(time.RFC3339), r.Successor)
}
