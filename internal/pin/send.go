package pin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// ErrNoWorker says that no worker listens at a storage_path.
var ErrNoWorker = errors.New("no worker waits for a PIN there")

const maxAnswer = 64 << 10 // bytes

// Waiting tells whether a worker listens in dir: nil, or ErrNoWorker, or why it
// is not to be trusted with a PIN.
func Waiting(dir string) error {
	conn, err := dial(dir)
	if err != nil {
		return err
	}
	return conn.Close()
}

// dial finds the worker and makes sure of who it is: dir's owner or root.
func dial(dir string) (*net.UnixConn, error) {
	path := filepath.Join(dir, Socket)
	if len(path) > maxPath {
		return nil, errLongPath(path) // a worker with a PIN may run all the same
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %s", ErrNoWorker, path)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(private(dir), trusted(dir, conn)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// trusted wants the listener to be who owns the directory.
func trusted(dir string, conn *net.UnixConn) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	uid, err := peer(conn)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && uid != 0 && uid != int(owner.Uid) {
		return fmt.Errorf("who listens in %s is user %d, and the directory is user %d's: the PIN is not sent", dir, uid, owner.Uid)
	}
	return nil
}

// Send gives a PIN to the worker that listens in dir, and waits for what the
// token says. An error means that there is no answer.
func Send(ctx context.Context, dir string, pin *secret.Bytes) (a Answer, err error) {
	conn, err := dial(dir)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(readTime + tryTime + answerTime))
	_, unsent := conn.Write(pin.Expose())
	if unsent == nil {
		unsent = conn.CloseWrite()
	}
	// A worker that turns us away says so without reading.
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&a); err != nil {
		return Answer{}, errors.Join(ctx.Err(), unsent, fmt.Errorf("no answer from the worker, look into its log: %w", err))
	}
	return a, nil
}
