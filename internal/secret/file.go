package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// File is a small file that is read whole. Unless it is Public, nobody but its
// owner may have access to it; a credential of systemd may have mode 0440.
type File struct {
	What   string // what messages call it: "key file", "pin_file"
	Path   string
	Max    int  // bytes
	Public bool // holds nothing secret: any mode will do
}

// ErrText marks a FileError about what a file holds. Others are about the file
// itself: its mode, its kind, its size.
var ErrText = errors.New("not plain text")

// FileError says what is wrong with a file and how to fix it. It never repeats
// what the file holds.
type FileError struct {
	What, Path string
	Problem    string // such as "has mode 0644"
	Remedy     string // a command where one command does it; may be empty
	Err        error
}

// Error returns "key file PATH has mode 0644 ...: chmod 600 PATH".
func (e *FileError) Error() string {
	text := e.What + " " + e.Path + " " + e.Problem
	if e.Remedy != "" {
		text += ": " + e.Remedy
	}
	return text
}

// Unwrap returns the operating system's error, or ErrText.
func (e *FileError) Unwrap() error { return e.Err }

// Bytes reads the file. It never waits for the writer of a pipe, and what it
// checks is the file that it opened, not what the name meant a moment before.
func (f File) Bytes() (*Bytes, error) {
	file, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, f.fail("cannot be opened", "", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, f.fail("cannot be opened", "", err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, f.fail("is a directory, not a regular file", "name a file in it", nil)
	case !mode.IsRegular():
		return nil, f.fail("is not a regular file", "name a regular file", nil)
	case !f.Public && mode.Perm()&0o077 != 0 && !f.isCredential(mode):
		problem := fmt.Sprintf("has mode %04o, which gives others access", mode.Perm())
		return nil, f.fail(problem, "chmod 600 "+quote(f.Path), nil)
	case info.Size() > int64(f.Max):
		return nil, f.tooLarge()
	}
	data := make([]byte, f.Max+1)
	n, err := io.ReadFull(file, data)
	switch {
	case err == nil:
		clear(data)
		return nil, f.tooLarge()
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		clear(data)
		return nil, f.fail("cannot be read", "", err)
	}
	return New(data[:n]), nil
}

// isCredential reports whether systemd passed the file to this unit alone. Where
// the unit has User=, the file is root's and an ACL lets that user read it; of the
// ACL the mode shows its mask, in the place of the group: 0440. (systemd.exec(5),
// LoadCredential=.)
func (f File) isCredential(mode fs.FileMode) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return dir != "" && filepath.Dir(f.Path) == filepath.Clean(dir) && mode.Perm() == 0o440
}

func (f File) tooLarge() error { return f.fail(fmt.Sprintf("is larger than %d bytes", f.Max), "", nil) }

// Text reads a file of text: no byte-order mark, no UTF-16, no NUL.
func (f File) Text() (*Bytes, error) {
	data, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	if problem, remedy := misencoded(data.Expose()); problem != "" {
		data.Wipe()
		return nil, f.fail(problem, strings.ReplaceAll(remedy, "FILE", quote(f.Path)), ErrText)
	}
	return data, nil
}

// Line reads a file that holds one line, under the rules of ParseLine.
func (f File) Line() (*Bytes, error) {
	longer := f
	longer.Max += len("\r\n")
	text, err := longer.Text()
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	line, err := ParseLine(text.Expose(), f.Max)
	if err != nil {
		return nil, f.fail(err.Error(), "write the value alone into it", ErrText)
	}
	return line, nil
}

// fail makes a FileError. Of the operating system's errors it keeps the reason,
// as the path is named already.
func (f File) fail(problem, remedy string, err error) error {
	var reason syscall.Errno
	if errors.As(err, &reason) {
		problem += ": " + reason.Error()
	}
	return &FileError{f.What, f.Path, problem, remedy, err}
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]*$`)

// quote makes a path one word of a shell command.
func quote(path string) string {
	if plainPath.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
