package pin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Socket is the name of the Unix socket in a worker's storage_path.
const Socket = "unlock.sock"

const (
	readTime   = 5 * time.Second  // for the PIN to come in
	tryTime    = 30 * time.Second // for the token to take it
	answerTime = 5 * time.Second  // for the answer to go out
	maxPath    = 107              // bytes of a socket's path, by Linux

	acceptPause = 100 * time.Millisecond // after a failure
)

// Answer is what an operator is told.
type Answer struct {
	OK      bool               `json:"ok"`
	Message string             `json:"message,omitempty"`
	Reason  keyprovider.Reason `json:"reason,omitempty"`
	Error   string             `json:"error,omitempty"`
	Remedy  string             `json:"remedy,omitempty"`
}

// String is the answer on one line, for people.
func (a Answer) String() string {
	if a.OK {
		return a.Message
	}
	return a.Error
}

// Refusal is the answer for an error.
func Refusal(err error) Answer {
	a := Answer{Reason: keyprovider.ReasonOf(err), Error: err.Error(), Remedy: RemedyOf(err)}
	if pin := (*Error)(nil); errors.As(err, &pin) {
		a.Reason = keyprovider.PIN
	}
	return a
}

// Server takes PINs at a socket, one a connection, one after the other.
type Server struct {
	listener *net.UnixListener
	lock     *flock.Flock
	owner    int
}

// Listen makes the socket in dir, which it makes too if need be, and keeps
// others from it with a lock, which ends with the process. Without the lock, a
// socket that is there is a dead one's and is replaced.
func Listen(dir string) (*Server, error) {
	path := filepath.Join(dir, Socket)
	if len(path) > maxPath {
		return nil, errLongPath(path)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(private(dir), owned(dir, os.Geteuid())); err != nil {
		return nil, err
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	case !locked:
		return nil, fmt.Errorf("%s: another worker listens there: stop it, or correct storage_path", path)
	}
	listener, err := listen(path)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Server{listener: listener, lock: lock, owner: os.Geteuid()}, nil
}

func errLongPath(path string) error {
	return fmt.Errorf("%s: the path of a socket has at most %d bytes: choose a shorter storage_path", path, maxPath)
}

// listen wants the lock: what is there is the socket of a process that is gone.
func listen(path string) (*net.UnixListener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is no socket, and stands where the worker's belongs: move it away", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// private refuses a directory in which others could put a socket of theirs.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%s has mode %04o, and others can write there: chmod 700 %s", dir, mode, dir)
	}
	return nil
}

// owned wants the directory to be the worker's own: its owner could put another
// socket into it, and would be trusted.
func owned(dir string, uid int) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != uid {
		return fmt.Errorf("%s is user %d's, and the worker runs as user %d: run it as user %d, or chown %d %s",
			dir, owner.Uid, uid, owner.Uid, uid, dir)
	}
	return nil
}

// Serve hands PINs to try until Close or the end of ctx, and answers what it
// says. try owns the PIN and gets a context that ends after half a minute.
func (s *Server) Serve(ctx context.Context, try func(context.Context, *secret.Bytes) Answer) {
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			s.serve(ctx, conn, try)
		case errors.Is(err, net.ErrClosed):
			_ = s.Close() // the lock as well, before anybody thinks that this has ended
			return
		default: // out of files, perhaps: it may pass
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
		}
	}
}

var errStranger = errors.New("only the worker's user and root may give the PIN")

func (s *Server) serve(ctx context.Context, conn *net.UnixConn, try func(context.Context, *secret.Bytes) Answer) {
	defer conn.Close()
	answer := Refusal(errStranger)
	if uid, err := peer(conn); err != nil {
		answer = Refusal(err)
	} else if uid == 0 || uid == s.owner {
		answer = take(ctx, conn, try)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(answerTime))
	_ = json.NewEncoder(conn).Encode(answer) // who asked may be gone
}

func take(ctx context.Context, conn *net.UnixConn, try func(context.Context, *secret.Bytes) Answer) Answer {
	_ = conn.SetReadDeadline(time.Now().Add(readTime))
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	pin, err := Read(conn)
	if err != nil {
		return Refusal(&Error{err.Error(), "send one PIN and close"})
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return try(ctx, pin)
}

// Close removes the socket. It may be called again.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.lock.Unlock())
}
