package register

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A file of entries is a line, a version in 4 bytes, and records: a kind, the length in
// 4 bytes, the data; numbers are big-endian. A head is followed by its deals. The last
// record counts the entries: a file without it, or with others before it, was cut, and
// nothing follows it. There is no order between entries.
const (
	fileMagic   = "frostfleet register\n"
	fileVersion = 1

	kindHead = 'h'
	kindDeal = 'd'
	kindEnd  = 'e'
)

// Errors of files. Whoever would put up with one would lose keys.
var (
	ErrFileCut   = errors.New("the file is not whole: its last record is missing")
	ErrFileGoes  = errors.New("the file goes on behind its last record: files that were joined are read one by one")
	ErrFileCount = errors.New("the file is not whole: its last record counts other entries")
)

// Writer writes entries to a file.
type Writer struct {
	w       *bufio.Writer
	entries uint64
}

// NewWriter begins a file.
func NewWriter(w io.Writer) (*Writer, error) {
	f := &Writer{w: bufio.NewWriterSize(w, 1<<20)}
	_, err := f.w.Write(binary.BigEndian.AppendUint32([]byte(fileMagic), fileVersion))
	return f, err
}

func (f *Writer) record(kind byte, data []byte) error {
	if _, err := f.w.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data)))); err != nil {
		return err
	}
	_, err := f.w.Write(data)
	return err
}

// Write appends an entry.
func (f *Writer) Write(e *Entry) error {
	if err := f.record(kindHead, e.Head); err != nil {
		return err
	}
	for _, deal := range e.Deals {
		if err := f.record(kindDeal, deal); err != nil {
			return err
		}
	}
	f.entries++
	return nil
}

// Close ends the file. It does not close what is below.
func (f *Writer) Close() error {
	if err := f.record(kindEnd, binary.BigEndian.AppendUint64(nil, f.entries)); err != nil {
		return err
	}
	return f.w.Flush()
}

// ReadFile hands every whole entry of a file to f, once. What proves nothing is
// dropped, and reported to dropped with the reason.
func ReadFile(r io.Reader, m *wire.Manifest, f func(*Entry) error, dropped func(error)) (Summary, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	start := make([]byte, len(fileMagic)+4)
	if _, err := io.ReadFull(in, start); err != nil || string(start[:len(fileMagic)]) != fileMagic {
		return Summary{}, errors.New("this is no file of frostctl register export")
	}
	if v := binary.BigEndian.Uint32(start[len(fileMagic):]); v != fileVersion {
		return Summary{}, fmt.Errorf("the file has format %d, and this program reads %d", v, fileVersion)
	}
	c := NewCollector(m)
	for heads := uint64(0); ; {
		kind, data, err := readRecord(in)
		switch {
		case err != nil:
			return c.Summary(), err
		case kind == kindEnd:
			return c.Summary(), readEnd(in, data, heads)
		case kind == kindHead:
			heads++
		}
		e, err := c.Put(kind == kindHead, data)
		switch {
		case err != nil:
			dropped(err)
		case e != nil:
			if err := f(e); err != nil {
				return c.Summary(), err
			}
		}
	}
}

// readEnd holds the last record against what came before it, and what comes behind it.
func readEnd(in *bufio.Reader, data []byte, heads uint64) error {
	if len(data) != 8 || binary.BigEndian.Uint64(data) != heads {
		return ErrFileCount
	}
	switch _, err := in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ErrFileGoes
}

// readRecord reads a record of a kind that this program knows, and of no more bytes
// than that kind may have.
func readRecord(in io.Reader) (kind byte, data []byte, err error) {
	var start [5]byte
	if _, err := io.ReadFull(in, start[:]); err != nil {
		return 0, nil, cut(err)
	}
	limits := map[byte]uint32{kindHead: wire.MaxEntryHead, kindDeal: wire.MaxMessageSize, kindEnd: 8}
	limit, known := limits[start[0]]
	size := binary.BigEndian.Uint32(start[1:])
	if !known || size > limit {
		return 0, nil, fmt.Errorf("a record of kind %q with %d bytes: the file is damaged", start[0], size)
	}
	data = make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return 0, nil, cut(err)
	}
	return start[0], data, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrFileCut
	}
	return err
}
