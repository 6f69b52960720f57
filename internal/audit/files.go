package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// File is one of a log.
type File struct {
	Path   string
	Number int
}

const (
	prefix = "audit-"
	suffix = ".jsonl"
)

func fileName(number int) string { return fmt.Sprintf("%s%06d%s", prefix, number, suffix) }

// numberOf is the number in a file's name.
func numberOf(path string) (number int, ok bool) {
	digits, ok := strings.CutPrefix(filepath.Base(path), prefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, suffix); !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil && number > 0 && fileName(number) == filepath.Base(path)
}

// Files lists the files of a log, in their order: of folders all that have a log file's
// name, and files as they are named. Archive and log may be named together.
func Files(paths ...string) ([]File, error) {
	var all []File
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			number, ok := numberOf(path)
			if !ok {
				return nil, fmt.Errorf("%s: not the name of a log's file, such as %s", path, fileName(1))
			}
			all = append(all, File{path, number})
			continue
		}
		found, err := filesIn(path)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no audit log here: no file such as %s", path, fileName(1))
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b File) int { return a.Number - b.Number })
	for i := range all[:max(len(all)-1, 0)] {
		if all[i].Number == all[i+1].Number {
			return nil, fmt.Errorf("%s and %s have one number: name the files of one log", all[i].Path, all[i+1].Path)
		}
	}
	return all, nil
}

func filesIn(dir string) (all []File, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if number, ok := numberOf(e.Name()); ok {
			all = append(all, File{filepath.Join(dir, e.Name()), number})
		}
	}
	slices.SortFunc(all, func(a, b File) int { return a.Number - b.Number })
	return all, nil
}

// Name is the program that writes the log which a file is of, as the file says.
func Name(f File) (string, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := newLines(file).read()
	if err != nil {
		return "", beginBroken(f, err)
	}
	_, r, _, err := parseBegin(text, f.Number)
	if err != nil {
		return "", &Break{f.Path, 1, err.Error()}
	}
	return r.By, nil
}

// lines reads lines of bounded length.
type lines struct {
	r      *bufio.Reader
	number int   // of the last line that was read, from 1
	start  int64 // where that begins
	next   int64 // and where the one after it does
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, MaxLine)} }

var (
	errPartial = errors.New("a line without its end")
	errLong    = fmt.Errorf("a line of more than %d bytes", MaxLine)
)

// read returns a line without its line feed, until the next call. At the end the error is
// io.EOF, and errPartial if something is left there.
func (l *lines) read() ([]byte, error) {
	text, err := l.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(text) == 0 {
		return nil, io.EOF
	}
	l.number++
	l.start = l.next
	l.next += int64(len(text))
	switch {
	case errors.Is(err, io.EOF):
		return nil, errPartial
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errLong
	case err != nil:
		return nil, err
	}
	return text[:len(text)-1], nil
}
