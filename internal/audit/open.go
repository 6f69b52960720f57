package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Config is what a Writer is made of.
type Config struct {
	Dir      string // made if it is not there, with mode 0700
	By       string // the program, in every record
	Role     string // worker or gateway
	Manifest string // its hash in hexadecimal
	Log      *slog.Logger
}

const (
	maxFile  = 64 << 20 // bytes; the next record begins another file
	lockName = "lock"
	lockWait = 200 * time.Millisecond
)

// ErrLocked says that another process writes the log.
var ErrLocked = errors.New("audit log is in use by another process")

// Open opens a log to add to it, or makes it. What a crash left at its end that is no whole
// record stays where it is: the log goes on in another file, whose first line says so.
func Open(cfg Config) (*Writer, error) {
	w := newWriter(cfg)
	if err := w.open(); err != nil {
		w.letGo()
		return nil, fmt.Errorf("audit log %s: %w", cfg.Dir, err)
	}
	go w.run()
	return w, nil
}

func (w *Writer) open() (err error) {
	if err = os.MkdirAll(w.cfg.Dir, 0o700); err != nil {
		return err
	}
	if err = w.takeLock(); err != nil {
		return err
	}
	files, err := filesIn(w.cfg.Dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return w.begin(1, nil)
	}
	last := files[len(files)-1]
	end, err := findEnd(last)
	if err != nil {
		return err
	}
	w.head = end.head
	if end.torn == nil && end.size < w.maxFile {
		w.number, w.size = last.Number, end.size
		if w.file, err = os.OpenFile(last.Path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
			return err
		}
		// The last process may have ended between write and sync.
		if err = w.file.Sync(); err == nil {
			w.synced.Store(&end.head)
		}
		return err
	}
	if end.torn != nil {
		w.cfg.Log.Warn("the audit log's last file ends in no whole record, as after a crash; it goes on in another file",
			"file", last.Path, "bytes", end.torn.Bytes, "after_record", end.head.Seq)
	}
	return w.begin(last.Number+1, end.torn)
}

// takeLock keeps other processes from the folder. It waits for lockWait, as the last one may
// be about to end.
func (w *Writer) takeLock() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	w.lock = flock.New(filepath.Join(w.cfg.Dir, lockName), flock.SetPermissions(0o600))
	if _, err := w.lock.TryLockContext(ctx, lockWait/10); errors.Is(err, context.DeadlineExceeded) {
		return ErrLocked
	} else if err != nil {
		return err
	}
	return nil
}

// begin makes a file and goes on in it. The one before is on the disk.
func (w *Writer) begin(number int, torn *Torn) error {
	r := Record{
		Time: w.now(), By: w.cfg.By, Event: EventLog, Begin: &Begin{
			File: number, Prev: hex.EncodeToString(w.head.Hash[:]), Role: w.cfg.Role, Manifest: w.cfg.Manifest, Torn: torn,
		},
	}
	text, head, err := appendLine(nil, w.head, &r, &w.scratch)
	if err != nil {
		return err
	}
	path := filepath.Join(w.cfg.Dir, fileName(number))
	err = secret.Create(path, text) // whole, or not at all
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	var file *os.File
	if err == nil {
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	}
	if err != nil {
		_ = os.Remove(path) // this try's, and nothing comes after it yet
		return err
	}
	if w.file != nil {
		_ = w.file.Close()
	}
	w.file, w.number, w.size, w.head = file, number, int64(len(text)), head
	w.synced.Store(&head)
	return nil
}

// end is where a file's records end.
type end struct {
	head Head
	size int64
	torn *Torn // what comes after them; nil: nothing
}

// findEnd reads a file up to its last whole record.
func findEnd(f File) (e end, err error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return end{}, err
	}
	defer file.Close()
	in := newLines(file)
	text, err := in.read()
	if err != nil {
		return end{}, fmt.Errorf("%s: its first line: %w", f.Path, err)
	}
	first, _, prev, err := parseBegin(text, f.Number)
	if err != nil {
		return end{}, fmt.Errorf("%s: its first line: %w: move the file away: a new one begins, and the log shows the gap",
			f.Path, err)
	}
	for head := prev; ; {
		if next := head.next(first.body); next.Hash == first.hash {
			head = next
			e.head, e.size = head, in.next
		} else {
			break
		}
		text, err := in.read()
		if errors.Is(err, io.EOF) {
			return e, nil
		}
		if err != nil && !errors.Is(err, errPartial) && !errors.Is(err, errLong) {
			return end{}, err
		}
		if err != nil {
			break
		}
		if first, err = parseLine(text); err != nil {
			break
		}
	}
	if e.size == 0 {
		return end{}, fmt.Errorf("%s: its first line does not have its own hash: move the file away: a new one begins, "+
			"and the log shows the gap", f.Path)
	}
	e.torn, err = tornAt(file, e.size)
	return e, err
}

// tornAt describes what a file has from a place on.
func tornAt(file io.ReadSeeker, from int64) (*Torn, error) {
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		return nil, err
	}
	return &Torn{Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// parseBegin reads the first line of a file, and the head that it comes after.
func parseBegin(text []byte, number int) (first line, r *Record, prev Head, err error) {
	if first, err = parseLine(text); err != nil {
		return line{}, nil, Head{}, err
	}
	if r, err = first.decode(new(bytes.Buffer)); err != nil {
		return line{}, nil, Head{}, err
	}
	if r.Event != EventLog || r.Begin == nil || r.Begin.File != number || r.Seq == 0 {
		return line{}, nil, Head{}, fmt.Errorf("it does not begin file %d of a log", number)
	}
	hash, err := hex.DecodeString(r.Begin.Prev)
	if err != nil || len(hash) != len(prev.Hash) {
		return line{}, nil, Head{}, errLine
	}
	return first, r, Head{r.Seq - 1, [32]byte(hash)}, nil
}
