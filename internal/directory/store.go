package directory

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// formatVersion is that of the file. Another one is no reason to convert: all that is in it
// can be read again.
const formatVersion = 1

// identity is what a file is of. KEYS is named by its creation, too: batches stand in the
// file under their sequences there.
type identity struct {
	Version int    `json:"version"`
	Fleet   string `json:"fleet"`
	Network string `json:"network"`
	Keys    string `json:"keys"`
}

// The buckets. Keys are made by the functions below; sequences and times are big-endian.
var (
	bucketMeta    = []byte("meta")    // identity, counters, positions
	bucketBatches = []byte("batches") // sequence in KEYS: batch
	bucketIDs     = []byte("ids")     // batch id: sequence
	bucketOwners  = []byte("owners")  // client, sequence
	bucketOfJobs  = []byte("ofjobs")  // client, job, sequence
	bucketHours   = []byte("hours")   // hour: the first sequence that was stored in it
	bucketTodo    = []byte("todo")    // sequence of a batch whose addresses are not in their bucket yet
	bucketAddress = []byte("address") // beginning of an address's hash: where its keys are
	bucketOrphans = []byte("orphans") // digest, sequence of a batch whose job is not known
	bucketDigests = []byte("digests") // digest: job that it is of
	bucketJobs    = []byte("jobs")    // client, job: line
	bucketWhen    = []byte("when")    // time, client, job
	bucketOwned   = []byte("owned")   // client, time, job
	bucketRemarks = []byte("remarks") // client, target: remark
	bucketLabels  = []byte("labels")  // client, label, target

	buckets = [][]byte{
		bucketMeta, bucketBatches, bucketIDs, bucketOwners, bucketOfJobs, bucketHours, bucketTodo, bucketAddress,
		bucketOrphans, bucketDigests, bucketJobs, bucketWhen, bucketOwned, bucketRemarks, bucketLabels,
	}
)

// Names in bucketMeta.
var (
	metaIdentity = []byte("identity")
	metaKeys     = []byte("keys") // how many
	metaJobs     = []byte("jobs")
	metaTodo     = []byte("todo") // batches
	metaPosition = "position/"    // and a stream's name
)

// errDamaged: the file is none that this package wrote. It is made anew, so it is an ErrBehind.
var errDamaged error = damagedError{}

type damagedError struct{}

func (damagedError) Error() string        { return "damaged" }
func (damagedError) Is(target error) bool { return target == ErrBehind }

// store is the file.
type store struct {
	db   *bolt.DB
	path string

	mu     sync.Mutex
	broken error // once it is found to be damaged
	stuck  bool  // bbolt panicked, and may hold its own locks for ever
}

// lockTime is how long another process may take to let go of the file.
const lockTime = time.Second

// openStore opens the file, and makes it where there is none, or none of use.
func openStore(path string, id identity, log *slog.Logger) (*store, error) {
	s, err := tryStore(path, id)
	if err == nil || !errors.Is(err, errDamaged) {
		return s, err
	}
	log.Warn("the directory's file is of no use and is made anew; it is read again from the streams", "file", path,
		"reason", err)
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	return tryStore(path, id)
}

func tryStore(path string, id identity) (*store, error) {
	s := &store{path: path}
	if err := s.guard(func() (err error) {
		if err := whole(path); err != nil {
			return err
		}
		s.db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTime, FreelistType: bolt.FreelistMapType})
		return err
	}); err != nil {
		return nil, openError(path, err)
	}
	if err := s.update(func(tx *bolt.Tx) error { return prepare(tx, id) }); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// whole looks whether a file has all the pages that its head counts, as far as it has a head. To
// open it for writing reads the page of those that are free.
func whole(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return nil // it is made
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTime, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.View(func(tx *bolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it was cut", errDamaged)
		}
		return nil
	}), db.Close())
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s: another process has the directory's file open", path)
	case errors.Is(err, errDamaged):
		return err
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// prepare makes the buckets of a new file, or finds that this one is another's.
func prepare(tx *bolt.Tx, id identity) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return create(tx, id)
	}
	var is identity
	if err := json.Unmarshal(meta.Get(metaIdentity), &is); err != nil || is != id {
		return fmt.Errorf("%w: it is of %+v, and this directory of %+v", errDamaged, is, id)
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: it lacks %s", errDamaged, name)
		}
	}
	return nil
}

func create(tx *bolt.Tx, id identity) error {
	if first, _ := tx.Cursor().First(); first != nil {
		return fmt.Errorf("%w: it is another program's", errDamaged)
	}
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(metaIdentity, text)
}

// guard calls f, and turns what a damaged file makes of it into an error: bbolt trusts its
// pages, and a file that was cut has none behind them.
func (s *store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if !ofTheFile(p) {
				panic(p)
			}
			err = fmt.Errorf("%w: %v", errDamaged, p)
			s.mu.Lock()
			s.stuck = true
			s.mu.Unlock()
		}
		if errors.Is(err, errDamaged) {
			s.mu.Lock()
			s.broken = err
			s.mu.Unlock()
		}
	}()
	return f()
}

// ofTheFile reports whether a panic comes of the file: of memory that is not there, or of bbolt. It
// is called where the panic is recovered.
func ofTheFile(p any) bool {
	if _, fault := p.(interface{ Addr() uintptr }); fault {
		return true
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // behind this one and the one that recovers
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "runtime.") {
			return strings.HasPrefix(f.Function, "go.etcd.io/bbolt")
		}
	}
	return false
}

func (s *store) view(f func(*bolt.Tx) error) error {
	if err := s.damage(); err != nil {
		return err
	}
	return s.guard(func() error { return s.db.View(f) })
}

func (s *store) update(f func(*bolt.Tx) error) error {
	if err := s.damage(); err != nil {
		return err
	}
	return s.guard(func() error { return s.db.Update(f) })
}

// damage is why the file is of no use any more.
func (s *store) damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// close closes the file, unless it is stuck.
func (s *store) close() error {
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()
	if stuck {
		return nil
	}
	return s.db.Close()
}

// size is that of the file, in bytes.
func (s *store) size() int64 {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number reads what be64 made; 0 where there is none.
func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// join makes a key of texts, none of which has a zero in it, and of what follows them. All but
// the last text end with a zero, so none begins another by chance.
func join(texts ...string) []byte {
	var key []byte
	for i, t := range texts {
		if i > 0 {
			key = append(key, 0)
		}
		key = append(key, t...)
	}
	return key
}

// prefixed is join with a zero behind the last text, too: what all keys begin with that have
// these texts and more.
func prefixed(texts ...string) []byte { return append(join(texts...), 0) }

// count adds to one of the file's counters.
func count(tx *bolt.Tx, name []byte, by int) error {
	meta := tx.Bucket(bucketMeta)
	return meta.Put(name, be64(uint64(int(number(meta.Get(name)))+by)))
}
